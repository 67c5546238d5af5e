package number

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Characters that stand for themselves, besides letters and digits
// (RFC 3261 §25.1: unreserved and user-unreserved, param-unreserved).
const (
	mark      = "-_.!~*'()"
	userSafe  = mark + "&=+$,;?/"
	paramSafe = mark + "[]/:&+$"
)

var errEscape = errors.New("broken % escape")

// unescape replaces %hh. The result is valid UTF-8.
func unescape(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 {
		if !utf8.ValidString(s) {
			return "", errEscape
		}
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", errEscape
		}
		hi, lo := unhex(s[i+1]), unhex(s[i+2])
		if hi < 0 || lo < 0 {
			return "", errEscape
		}
		b = append(b, byte(hi<<4|lo))
		i += 2
	}
	if !utf8.Valid(b) {
		return "", errEscape
	}
	return string(b), nil
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// escape writes every byte that is not a letter, digit or in safe as %hh.
func escape(s, safe string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strings.IndexByte(safe, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

// printable reports whether s can stand in one line of a message: no control
// characters, so that nothing can be smuggled behind a line end.
func printable(s string) bool {
	for _, r := range s {
		if !unicode.IsPrint(r) && r != '\u00a0' {
			return false
		}
	}
	return true
}

// token reports whether s is a header name (RFC 3261 §25.1 token).
func token(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("-.!%*_+`'~", c) < 0 {
			return false
		}
	}
	return true
}
