package fxs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"callbox/call"
	"callbox/media/tone"
)

// Action is what a code does that is dialled instead of a number.
type Action string

// The actions.
const (
	DNDOn              Action = "dnd-on"                // calls find the phone busy
	DNDOff             Action = "dnd-off"               //
	ForwardOn          Action = "forward-on"            // all calls go to the number that follows
	ForwardOff         Action = "forward-off"           //
	ForwardBusyOn      Action = "forward-busy-on"       // those that find the phone busy
	ForwardBusyOff     Action = "forward-busy-off"      //
	ForwardNoAnswerOn  Action = "forward-no-answer-on"  // those that nobody answers
	ForwardNoAnswerOff Action = "forward-no-answer-off" //
	WaitingOn          Action = "call-waiting-on"       // a second call is told of by a tone
	WaitingOff         Action = "call-waiting-off"      //
	HideOn             Action = "hide-number-on"        // the called do not learn who calls
	HideOff            Action = "hide-number-off"       //
	HideOnce           Action = "hide-number-once"      // of the number that follows
	Redial             Action = "redial"                // the number dialled last
	CallBack           Action = "call-back"             // who called last
	PickUp             Action = "pick-up"               // the call that rings at another phone
)

// Actions lists all of them.
func Actions() []Action {
	return []Action{DNDOn, DNDOff, ForwardOn, ForwardOff, ForwardBusyOn, ForwardBusyOff, ForwardNoAnswerOn, ForwardNoAnswerOff,
		WaitingOn, WaitingOff, HideOn, HideOff, HideOnce, Redial, CallBack, PickUp}
}

// Feature is a code and what it does.
type Feature struct {
	Code string // * and digits
	Do   Action
}

// Settings are what the phone's user has chosen by codes, and what the phone
// remembers. They are kept by whoever made the line.
type Settings struct {
	DND             bool   `json:"dnd,omitempty"`
	Forward         string `json:"forward,omitempty"` // empty: not forwarded
	ForwardBusy     string `json:"forward_busy,omitempty"`
	ForwardNoAnswer string `json:"forward_no_answer,omitempty"`
	Waiting         *bool  `json:"call_waiting,omitempty"` // nil: as Config.Waiting
	Hide            bool   `json:"hide_number,omitempty"`
	LastDialled     string `json:"last_dialled,omitempty"`
	LastCaller      string `json:"last_caller,omitempty"`
}

// with gives what an action makes of s; number is what was dialled after the code.
func (s Settings) with(a Action, number string) Settings {
	on, off := true, false
	switch a {
	case DNDOn, DNDOff:
		s.DND = a == DNDOn
	case ForwardOn, ForwardOff:
		s.Forward = number
	case ForwardBusyOn, ForwardBusyOff:
		s.ForwardBusy = number
	case ForwardNoAnswerOn, ForwardNoAnswerOff:
		s.ForwardNoAnswer = number
	case WaitingOn:
		s.Waiting = &on
	case WaitingOff:
		s.Waiting = &off
	case HideOn, HideOff:
		s.Hide = a == HideOn
	case HideOnce, Redial, CallBack, PickUp:
	}
	return s
}

// wants reports whether a number follows the code.
func (a Action) wants() bool {
	return a == ForwardOn || a == ForwardBusyOn || a == ForwardNoAnswerOn
}

// validate reports what is wrong with codes.
func validate(list []Feature) error {
	for i, f := range list {
		if !strings.HasPrefix(f.Code, "*") || len(f.Code) < 2 || len(f.Code) > 8 || strings.Trim(f.Code[1:], "0123456789*") != "" {
			return fmt.Errorf("code %q: want * and digits, at most 8 letters", f.Code)
		}
		if !slices.Contains(Actions(), f.Do) {
			return fmt.Errorf("code %s does %q: want one of %v", f.Code, f.Do, Actions())
		}
		for _, g := range list[:i] {
			if f.Code == g.Code {
				return fmt.Errorf("code %s is used twice", f.Code)
			}
		}
	}
	return nil
}

// coded takes the digits dialled so far as a code. known: they are one, or may
// become one.
func (l *Line) coded() (known bool) {
	n := string(l.number)
	longer := false
	var found *Feature
	for i, f := range l.cfg.Features {
		switch {
		case f.Code == n:
			found = &l.cfg.Features[i]
		case strings.HasPrefix(f.Code, n):
			longer = true
		}
	}
	if found == nil || longer {
		return longer
	}
	l.number = l.number[:0]
	l.run(found.Do)
	return true
}

// run does what a code says.
func (l *Line) run(a Action) {
	switch {
	case a.wants():
		l.after = a
		l.ready()
	case a == HideOnce:
		l.hide = true
		l.ready()
	case a == Redial:
		l.again(l.set.LastDialled)
	case a == CallBack:
		l.again(l.set.LastCaller)
	case a == PickUp:
		l.takeOver()
	default:
		l.keep(l.set.with(a, ""))
		l.confirm()
	}
}

// ready waits for the number that follows a code, with a dial tone as at first.
func (l *Line) ready() {
	l.sound.play(l.country.Dial, tone.DefaultLevel)
	l.enter(dialling)
}

// again calls a number that is remembered.
func (l *Line) again(number string) {
	if number == "" {
		l.busy(l.country.Congestion)
		return
	}
	l.number = append(l.number[:0], number...)
	l.place()
}

// forwardTo ends a code with the number that was dialled after it.
func (l *Line) forwardTo() {
	l.keep(l.set.with(l.after, string(l.number)))
	l.confirm()
}

// confirm says that a code was taken: short beeps, then the dial tone again.
func (l *Line) confirm() {
	l.after, l.hide = "", false
	l.number = l.number[:0]
	beep := tone.Tone{Steps: []tone.Step{{Hz: l.country.Dial.Steps[0].Hz, Duration: 100 * time.Millisecond}, {Duration: 100 * time.Millisecond}}}
	l.sound.tell(tone.Clip(beep, tone.DefaultLevel, 600*time.Millisecond))
	l.dialTone()
}

// dialTone waits for a number.
func (l *Line) dialTone() {
	t := l.country.Dial
	if l.messages.Load() > 0 || l.set.DND || l.set.Forward != "" {
		t = l.country.Stutter
	}
	l.sound.play(t, tone.DefaultLevel)
	l.number = l.number[:0]
	l.enter(dialling)
	if l.cfg.HotLine != "" && l.after == "" && l.held == nil {
		if l.cfg.HotDelay == 0 {
			l.again(l.cfg.HotLine)
			return
		}
		l.due = time.Now().Add(l.cfg.HotDelay)
	}
}

// keep changes the settings.
func (l *Line) keep(s Settings) {
	if s == l.set {
		return
	}
	l.set = s
	if l.cfg.Save != nil {
		l.cfg.Save(s)
	}
}

// sendOn gives the number that a call for the phone goes to instead of ringing, and
// why; empty: it rings, or is refused.
func (l *Line) sendOn() (to, why string) {
	switch {
	case l.set.Forward != "":
		return l.set.Forward, fmt.Sprintf("the phone on %s forwards its calls", l.cfg.ID)
	case (l.state != idle || l.set.DND) && l.set.ForwardBusy != "":
		return l.set.ForwardBusy, fmt.Sprintf("the phone on %s is busy and forwards such calls", l.cfg.ID)
	}
	return "", ""
}

// sentOn is a leg that goes on to another number at once.
func (l *Line) sentOn(d call.Dial, to, why string) *leg {
	g := newLeg(l, call.LegInfo{From: d.From, FromName: d.FromName, To: l.cfg.Number})
	g.end(call.FromSIP(302, call.Remote, why), to)
	return g
}

// unanswered sends a call on that rings for too long.
func (l *Line) unanswered() {
	g := l.leg
	l.leg = nil
	l.silence()
	g.end(call.FromSIP(302, call.Remote, fmt.Sprintf("nobody answered the phone on %s, which forwards such calls", l.cfg.ID)), l.set.ForwardNoAnswer)
}
