package script

import "strings"

// SameUser writes the user and password in the address abs, which was made from
// base, as base has them. Package net/url escapes them anew ("%26" becomes "&"),
// and the signatures of requests cover each byte of their address.
func SameUser(abs, base string) string {
	want, found := userOf(base)
	have, ok := userOf(abs)
	if !found || !ok {
		return abs
	}
	return strings.Replace(abs, "//"+have+"@", "//"+want+"@", 1)
}

// userOf is what stands before the "@" of an address; ok is false when it has none.
func userOf(address string) (user string, ok bool) {
	_, rest, ok := strings.Cut(address, "//")
	if !ok {
		return "", false
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return "", false
	}
	return rest[:at], true
}
