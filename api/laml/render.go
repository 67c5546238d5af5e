package laml

import (
	"crypto/rand"
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"callbox/api"
	"callbox/call"
)

// The pieces that the profiles build their JSON of.

// RFC2822 writes a time as the family does, in UTC.
func RFC2822(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 +0000") }

// Seconds is a duration in whole seconds, rounded to the nearest.
func Seconds(d time.Duration) int64 { return int64((d + time.Second/2) / time.Second) }

// WholeSeconds writes a duration in seconds, rounded to the nearest.
func WholeSeconds(d time.Duration) string { return strconv.FormatInt(Seconds(d), 10) }

// StatusName is the status of a call as the family calls it: an attempt that
// has not rung yet is queued, an arriving call that is being looked at rings.
func StatusName(rec call.Record) string {
	if rec.State != call.Dialing {
		return rec.State.String()
	}
	if rec.Direction == call.Inbound {
		return call.Ringing.String()
	}
	return call.Queued.String()
}

// Formatted is a number for display: North American numbers in the national
// style, everything else as it is.
func Formatted(s string) string {
	n, ok := strings.CutPrefix(s, "+1")
	if !ok || len(n) != 10 || strings.Trim(n, "0123456789") != "" {
		return s
	}
	return "(" + n[:3] + ") " + n[3:6] + "-" + n[6:]
}

// newSecret makes the secret of an API key: plain hex, because twilio-go refuses
// any other character.
func newSecret() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand since Go 1.24)
	return hex.EncodeToString(b[:])
}

// NewSid makes a random id of the family: a prefix and 128 bits in hex.
func NewSid(k api.IDKind) string {
	prefix, ok := sidPrefixes[k]
	if !ok {
		prefix = "CA"
	}
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand since Go 1.24)
	return prefix + hex.EncodeToString(b[:])
}

var sidPrefixes = map[api.IDKind]string{
	api.CallID: "CA", api.RecordingID: "RE", api.StreamID: "MZ", api.ApplicationID: "AP", api.NumberID: "PN", api.KeyID: "SK",
	api.UserID: "CR", api.ClientID: "CL", api.ListID: "CL", api.DomainID: "SD", api.MessageID: "SM",
	api.ConferenceID: "CF", api.QueueID: "QU",
}

// IsSid gives a check for a prefix and 32 hex digits.
func IsSid(prefix string) func(string) bool {
	return func(s string) bool {
		rest, ok := strings.CutPrefix(s, prefix)
		return ok && len(rest) == 32 && strings.Trim(rest, "0123456789abcdefABCDEF") == ""
	}
}

// IsUUID checks the form of a UUID (RFC 9562 §4).
func IsUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F'):
			return false
		}
	}
	return true
}

// IsDigits checks SendDigits: at most 32 keys, w for half a second, W for a second.
func IsDigits(s string) bool {
	return len(s) <= 32 && strings.Trim(s, "0123456789#*wWABCDabcd") == ""
}

// isHost checks a host name.
func isHost(s string) bool {
	return len(s) <= 253 && hostSyntax.MatchString(s)
}

// isUserName checks the name of a SIP credential.
func isUserName(s string) bool { return len(s) <= 32 && userSyntax.MatchString(s) }

var (
	hostSyntax = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$`)
	userSyntax = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
)

// isPassword checks that a password is as hard to guess as the cloud wants it.
func isPassword(s string) bool {
	return len(s) >= 12 && len(s) <= 128 && strings.ContainsFunc(s, unicode.IsDigit) && strings.ContainsFunc(s, unicode.IsLower) &&
		strings.ContainsFunc(s, unicode.IsUpper)
}
