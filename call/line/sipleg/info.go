package sipleg

import (
	"bytes"
	"strings"
)

// dtmfRelay reads the digit of a SIP INFO body, ok is false when it has none.
// application/dtmf-relay is "Signal=5\r\nDuration=160", application/dtmf is
// the digit alone; both are conventions without an RFC (RFC 6086 §1 names them).
func dtmfRelay(contentType string, body []byte) (digit byte, ok bool) {
	kind, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/dtmf":
		return key(bytes.TrimSpace(body))
	case "application/dtmf-relay":
		for line := range bytes.Lines(body) {
			name, value, found := bytes.Cut(line, []byte("="))
			if found && strings.EqualFold(string(bytes.TrimSpace(name)), "signal") {
				return key(bytes.TrimSpace(value))
			}
		}
	}
	return 0, false
}

// key reads "5", "#", "a", and the event numbers 10…15 that some phones send
// (RFC 4733 §3.2).
func key(v []byte) (byte, bool) {
	switch len(v) {
	case 1:
		d := bytes.ToUpper(v)[0]
		return d, validDigit(d)
	case 2:
		if v[0] == '1' && v[1] >= '0' && v[1] <= '5' {
			return "*#ABCD"[v[1]-'0'], true
		}
	}
	return 0, false
}

// validDigit reports whether d is one of the sixteen keys.
func validDigit(d byte) bool { return strings.IndexByte("0123456789*#ABCD", d) >= 0 }
