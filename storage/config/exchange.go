package config

import (
	"slices"
	"strings"
	"time"
)

// ExchangeLine is an analogue line of a telephone exchange on a port of the box (FXO).
type ExchangeLine struct {
	Port   string `json:"port"`             // the line's id: the port's name on the board ("fxo1")
	Name   string `json:"name,omitempty"`   // what it is called by besides Port
	Number string `json:"number,omitempty"` // its own: calls that arrive are to it
	// Country is the ISO code of its exchange, whose tones and caller ID the port is to
	// understand; empty: that of the box.
	Country string `json:"country,omitempty"`
	// Application runs the calls that arrive and no number claims.
	Application string `json:"application,omitempty"` // Application.ID
	// Numbers lets numbers that no route decides go out by this line, after the trunks
	// that do so.
	Numbers bool `json:"numbers,omitempty"`
	// Dialling is tone (also empty) or pulse. Blind does not wait for dial tone.
	Dialling string `json:"dialling,omitempty"`
	Blind    bool   `json:"dial_blind,omitempty"`
	// Answer is what counts as the answer of a call that goes out, because an exchange
	// does not say it: auto (also empty: whichever sign comes first), polarity (of the
	// battery), voice, or timer: AnswerAfter since the number was dialled, 0 to 60 s.
	Answer      string   `json:"answer,omitempty"`
	AnswerAfter Duration `json:"answer_after,omitempty"`
	// Refuse is what becomes of a call that arrives and that the box does not take: ring
	// (also empty: it rings until the caller gives up, an exchange cannot be told) or
	// answer (it is taken, the caller hears busy tone for some seconds, and pays).
	Refuse string `json:"refuse,omitempty"`
	// HangupSilence is how long a call may be silent both ways before it counts as hung
	// up, 10 s to 1 h; 0: for ever. IgnoreLoop heeds no break of the loop.
	HangupSilence Duration `json:"hangup_silence,omitempty"`
	IgnoreLoop    bool     `json:"ignore_loop,omitempty"`
	// CallerID is how the exchange tells who calls: bellcore, etsi, uk, dtmf, japan, off;
	// empty: as in its country. CallerWait is how long after the first ring the box waits
	// for that, up to 10 s; 0: 4 s.
	CallerID   string   `json:"caller_id,omitempty"`
	CallerWait Duration `json:"caller_wait,omitempty"`
	EchoTail   int      `json:"echo_tail_ms,omitempty"` // as Phone.EchoTail, beyond the delay of the port
}

func (l ExchangeLine) key() string { return l.Port }

// exchangeLine checks one.
func (v *validator) exchangeLine(f string, l ExchangeLine) {
	v.line(f+".port", l.Port)
	if l.Name != "" && !strings.EqualFold(l.Name, l.Port) {
		v.name(f+".name", l.Name)
	}
	v.digits(f+".number", l.Number)
	v.application(f+".application", l.Application)
	if l.Country != "" && (len(l.Country) != 2 || strings.ToUpper(l.Country) != l.Country) {
		v.bad(f+".country", "%q is not a country code of two capital letters, such as US or DE", l.Country)
	}
	one := func(field, value string, of ...string) {
		if value != "" && !slices.Contains(of, value) {
			v.bad(f+"."+field, "%q is none of %s", value, strings.Join(of, ", "))
		}
	}
	one("dialling", l.Dialling, "tone", "pulse")
	one("answer", l.Answer, "auto", "polarity", "voice", "timer")
	one("refuse", l.Refuse, "ring", "answer")
	one("caller_id", l.CallerID, "bellcore", "etsi", "uk", "dtmf", "japan", "off")
	within := func(field string, d Duration, lo, hi time.Duration) {
		if d != 0 && (d.Std() < lo || d.Std() > hi) {
			v.bad(f+"."+field, "is %v, want %v to %v", d, lo, hi)
		}
	}
	within("answer_after", l.AnswerAfter, 0, time.Minute)
	within("hangup_silence", l.HangupSilence, 10*time.Second, time.Hour)
	within("caller_wait", l.CallerWait, 0, 10*time.Second)
	if l.EchoTail != 0 && l.EchoTail != EchoOff {
		v.between(f+".echo_tail_ms", l.EchoTail, 16, 64)
	}
}
