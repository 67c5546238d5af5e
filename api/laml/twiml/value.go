package twiml

import (
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"callbox/call"
)

// What documents and requests have in common.

// CallEvents and RecordingEvents are what the family calls the events of status
// hooks.
var (
	CallEvents = map[string]call.EventType{
		"initiated": call.EventInitiated, "ringing": call.EventRinging,
		"answered": call.EventAnswered, "completed": call.EventEnded,
	}
	RecordingEvents = map[string]call.EventType{
		"in-progress": call.EventRecordingStarted, "completed": call.EventRecordingDone,
		"absent": call.EventRecordingAbsent,
	}
)

// maxLink is the longest URL in bytes.
const maxLink = 2048

// BadURL says what is wrong with an absolute http or https URL, to finish
// "StatusCallback …"; empty when it is good. Private and local hosts are good: the
// box lives on a LAN.
func BadURL(s string) string {
	if len(s) > maxLink {
		return "is longer than " + strconv.Itoa(maxLink) + " bytes"
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || strings.ContainsAny(s, " \t\r\n"):
		return "is not a URL"
	case u.Scheme != "http" && u.Scheme != "https":
		return "is not an absolute http or https URL"
	case u.Hostname() == "":
		return "has no host"
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return "has an impossible port"
		}
	}
	return ""
}

// Choose finds s in enum without regard to case.
func Choose(enum []string, s string) (string, bool) {
	for _, e := range enum {
		if strings.EqualFold(e, s) {
			return e, true
		}
	}
	return "", false
}

// CleanText reports whether s is UTF-8 without control characters other than
// white space.
func CleanText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f {
			return false
		}
	}
	return true
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
