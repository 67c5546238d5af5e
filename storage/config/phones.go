package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Phone is an analogue phone on a port of the box.
type Phone struct {
	Port        string `json:"port"`             // the line's id: the port's name on the board ("fxs1")
	Name        string `json:"name,omitempty"`   // what it is called by besides Port
	Number      string `json:"number,omitempty"` // as User.Number
	CallerName  string `json:"caller_name,omitempty"`
	Application string `json:"application,omitempty"` // run when its handset is lifted and a number dialled
	// EchoTail is how long the echo of the line may last, 16 to 64 ms; 0: 32 ms.
	// EchoOff leaves the echo in.
	EchoTail int `json:"echo_tail_ms,omitempty"`
	// CallerID is how the phone is told who calls, one of CallerIDs; empty: as in the
	// country.
	CallerID string `json:"caller_id,omitempty"`
	// HotLine is what the phone calls as soon as it is picked up, or when nothing was
	// dialled for HotDelay (1 to 30 s); empty: nothing.
	HotLine  string   `json:"hot_line,omitempty"`
	HotDelay Duration `json:"hot_line_delay,omitempty"`
	// CallWaiting tells a phone that is in a call of a second one; its user may choose
	// otherwise by codes.
	CallWaiting bool `json:"call_waiting,omitempty"`
	// ReverseOnAnswer reverses the battery while a call that the phone has placed is
	// answered, for meters and payphones.
	ReverseOnAnswer bool `json:"reverse_on_answer,omitempty"`
	// Rings are rhythms for some callers; the first that fits counts.
	Rings []Ring `json:"rings,omitempty"`
}

// Ring is how a phone rings for some callers.
type Ring struct {
	Caller string `json:"caller"` // a number, a beginning of one with a star at its end, or *
	Rhythm []int  `json:"rhythm"` // ms of ring, pause, ring, pause …
}

// Dialling is how numbers are dialled on analogue phones.
type Dialling struct {
	// Map are the patterns by which a number is known to be complete (x is a digit,
	// [2-9] one of a set, a dot any number of what stands before it); without them a
	// number ends with # or with a pause.
	Map []string `json:"map,omitempty"`
	// FirstDigit is how long the dial tone waits, 1 s to 1 min; 0: 15 s. InterDigit is
	// the pause that ends a number, 1 to 20 s; 0: 4 s. NoAnswer is how long a phone
	// rings before its calls are forwarded, 5 s to 2 min; 0: 20 s.
	FirstDigit Duration `json:"first_digit,omitempty"`
	InterDigit Duration `json:"inter_digit,omitempty"`
	NoAnswer   Duration `json:"no_answer,omitempty"`
	// Codes are dialled instead of numbers; empty: DefaultCodes. A list with one code
	// "none" and nothing that it does: there are none.
	Codes []Code `json:"codes,omitempty"`
}

// Code is what is dialled to have the box do something: * and digits.
type Code struct {
	Code string `json:"code"`
	Does string `json:"does"` // one of CodeActions
}

// CodeActions are what codes can do.
var CodeActions = []string{"dnd-on", "dnd-off", "forward-on", "forward-off", "forward-busy-on", "forward-busy-off",
	"forward-no-answer-on", "forward-no-answer-off", "call-waiting-on", "call-waiting-off", "hide-number-on",
	"hide-number-off", "hide-number-once", "redial", "call-back", "pick-up"}

// DefaultCodes are those of North America, as most telephone systems have them.
var DefaultCodes = []Code{
	{"*8", "pick-up"}, {"*43", "call-waiting-on"}, {"*44", "call-waiting-off"}, {"*66", "redial"}, {"*67", "hide-number-once"},
	{"*69", "call-back"}, {"*72", "forward-on"}, {"*73", "forward-off"}, {"*78", "dnd-on"}, {"*79", "dnd-off"},
	{"*90", "forward-busy-on"}, {"*91", "forward-busy-off"}, {"*92", "forward-no-answer-on"}, {"*93", "forward-no-answer-off"},
}

// CodesInUse are the codes that phones have.
func (d Dialling) CodesInUse() []Code {
	switch {
	case len(d.Codes) == 0:
		return DefaultCodes
	case d.Codes[0] == Code{Code: "none"}:
		return nil
	}
	return d.Codes
}

var (
	codeSyntax    = regexp.MustCompile(`^\*[0-9*]{1,7}$`)
	patternSyntax = regexp.MustCompile(`^(([0-9*xX]|\[[0-9*-]+\])\.?){1,32}$`)
)

// dialling checks how numbers are dialled.
func (v *validator) dialling(d Dialling) {
	if len(d.Map) > 64 {
		v.bad("dialling.map", "has %d patterns, at most 64 are allowed", len(d.Map))
	}
	for i, p := range d.Map {
		if !patternSyntax.MatchString(p) {
			v.bad(fmt.Sprintf("dialling.map[%d]", i), "%q is no pattern of 0-9 * x, sets such as [2-9], and dots", p)
		}
	}
	if d.FirstDigit != 0 {
		v.period("dialling.first_digit", d.FirstDigit, time.Second, time.Minute)
	}
	if d.InterDigit != 0 {
		v.period("dialling.inter_digit", d.InterDigit, time.Second, 20*time.Second)
	}
	if d.NoAnswer != 0 {
		v.period("dialling.no_answer", d.NoAnswer, 5*time.Second, 2*time.Minute)
	}
	seen := map[string]bool{}
	for i, c := range d.CodesInUse() {
		f := fmt.Sprintf("dialling.codes[%d]", i)
		if !codeSyntax.MatchString(c.Code) || seen[c.Code] {
			v.bad(f+".code", "%q is not * and at most 7 digits, or is used twice", c.Code)
		}
		seen[c.Code] = true
		if !slices.Contains(CodeActions, c.Does) {
			v.bad(f+".does", "%q is none of %s", c.Does, strings.Join(CodeActions, ", "))
		}
	}
}

// EchoOff is the Phone.EchoTail of a line whose echo is left in.
const EchoOff = -1

// CallerIDs are the ways to tell a phone who calls.
var CallerIDs = []string{"bellcore", "bellcore-single", "dtmf", "dtmf-a-hash", "dtmf-d", "etsi", "etsi-before-ring", "none", "uk"}

func (v *validator) phone(f string, p Phone) {
	v.line(f+".port", p.Port)
	if p.Name != "" && !strings.EqualFold(p.Name, p.Port) {
		v.name(f+".name", p.Name)
	}
	v.digits(f+".number", p.Number)
	v.application(f+".application", p.Application)
	v.oneLine(f+".caller_name", p.CallerName)
	if p.EchoTail != 0 && p.EchoTail != EchoOff {
		v.between(f+".echo_tail_ms", p.EchoTail, 16, 64)
	}
	if p.CallerID != "" && !slices.Contains(CallerIDs, p.CallerID) {
		v.bad(f+".caller_id", "%q is none of %s", p.CallerID, strings.Join(CallerIDs, ", "))
	}
	v.oneLine(f+".hot_line", p.HotLine)
	if p.HotDelay != 0 {
		v.period(f+".hot_line_delay", p.HotDelay, time.Second, 30*time.Second)
	}
	for i, r := range p.Rings {
		v.rhythm(fmt.Sprintf("%s.rings[%d]", f, i), r)
	}
}

// rhythm checks a ring: what a port can make for as long as it likes.
func (v *validator) rhythm(f string, r Ring) {
	if r.Caller == "" {
		v.bad(f+".caller", "is empty, use * for all callers")
	}
	on, total := 0, 0
	for i, ms := range r.Rhythm {
		v.between(fmt.Sprintf("%s.rhythm[%d]", f, i), ms, 100, 10_000)
		if total += ms; i%2 == 0 {
			on += ms
		}
	}
	if n := len(r.Rhythm); n < 2 || n > 8 || n%2 != 0 || 3*on > total || on > 2000 {
		v.bad(f+".rhythm", "must be 2, 4, 6 or 8 times: ring, pause and so on; at most a third of it, and 2 s, may be rings")
	}
}
