package sip

import (
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// Use says whether an extension of SIP is used with a far end.
type Use int

const (
	IfKnown Use = iota // with far ends that know it
	Off                // never
	Always             // calls with far ends that do not know it fail
)

// Terms are how calls with a far end are kept. The zero value suits most.
type Terms struct {
	// Timer is session timers (RFC 4028): both sides see that the other is still
	// there. With Always, a caller who does not know them is asked by us alone.
	Timer Use
	// Expires is how long a session may go without a sign of life, 90 s or more; 0:
	// 30 min. The far end may wish for less.
	Expires time.Duration
	// Reliable is acknowledged provisional responses (RFC 3262). Ours to an arriving
	// call are reliable when it requires that or, with Always, when it knows how.
	Reliable Use
}

func (t Terms) expires() time.Duration {
	if t.Expires <= 0 {
		return 30 * time.Minute
	}
	return max(t.Expires, leastSession)
}

// extensions are the option tags that we support.
func (t Terms) extensions() []string {
	out := []string{"replaces", "norefersub"} // RFC 3891, RFC 4488
	if t.Timer != Off {
		out = append(out, "timer")
	}
	if t.Reliable != Off {
		out = append(out, "100rel")
	}
	return out
}

// supported is the value of the Supported header.
func (t Terms) supported() string { return strings.Join(t.extensions(), ", ") }

// required is the value of the Require header of an INVITE of ours.
func (t Terms) required() string {
	var out []string
	if t.Timer == Always {
		out = append(out, "timer")
	}
	if t.Reliable == Always {
		out = append(out, "100rel")
	}
	return strings.Join(out, ", ")
}

// unsupported lists what a request requires and we do not support (RFC 3261
// §8.2.2.3).
func (t Terms) unsupported(req *gosip.Request) string {
	var out []string
	known := t.extensions()
	for _, tag := range tokens(req, "Require") {
		if !hasToken(known, tag) {
			out = append(out, tag)
		}
	}
	return strings.Join(out, ", ")
}

// tokens are the comma-separated words of a header, under any of its names.
func tokens(m gosip.Message, names ...string) []string {
	var out []string
	for _, name := range names {
		for _, h := range m.GetHeaders(name) {
			for w := range strings.SplitSeq(h.Value(), ",") {
				if w = strings.TrimSpace(w); w != "" {
					out = append(out, w)
				}
			}
		}
	}
	return out
}

func hasToken(list []string, tag string) bool {
	for _, w := range list {
		if strings.EqualFold(w, tag) {
			return true
		}
	}
	return false
}

// supports reports whether the sender of m knows an extension.
func supports(m gosip.Message, tag string) bool {
	return hasToken(tokens(m, "Supported", "k"), tag) || hasToken(tokens(m, "Require"), tag)
}
