package config

import (
	"slices"
	"strings"
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
}
