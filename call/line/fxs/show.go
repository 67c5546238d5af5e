package fxs

import (
	"slices"
	"strings"
	"time"

	"callbox/call"
	"callbox/hal"
	"callbox/media"
	"callbox/media/dtmf"
	"callbox/media/fsk"
	"callbox/media/tone"
)

// scheme is a way to tell a phone who calls.
type scheme struct {
	before   bool // before the first ring, else in the pause after it
	reversed bool // the battery is reversed meanwhile, which wakes the phone
	alert    bool // an alert tone (DT-AS) comes first
	standard fsk.Standard
	form     fsk.Form
	start    string // of digits sent as tones; empty: data
	end      string
}

// noCallerID is the scheme of phones that are not told.
const noCallerID = "none"

// schemes are all of them. GR-30-CORE; ETSI EN 300 659-1 §6 (data), annex B and
// ETSI ES 201 235 (digits); BT SIN 227.
var schemes = map[string]scheme{
	noCallerID:         {},
	"bellcore":         {standard: fsk.Bell202, form: fsk.Multiple},
	"bellcore-single":  {standard: fsk.Bell202, form: fsk.Single},
	"etsi":             {standard: fsk.V23, form: fsk.ETSI},
	"etsi-before-ring": {before: true, alert: true, standard: fsk.V23, form: fsk.ETSI},
	"uk":               {before: true, reversed: true, alert: true, standard: fsk.V23, form: fsk.ETSI},
	"dtmf":             {before: true, reversed: true, start: "A", end: "C"},
	"dtmf-a-hash":      {before: true, reversed: true, start: "A", end: "#"},
	"dtmf-d":           {before: true, reversed: true, start: "D", end: "C"},
}

// CallerIDs lists the ways to tell a phone who calls, sorted.
func CallerIDs() []string {
	var out []string
	for name := range schemes {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// byCountry are the countries that do not have the scheme of ETSI. Japan's wants the
// phone to answer as a modem, which no phone elsewhere does: there they are not told.
var byCountry = map[string]string{
	"bellcore": "US CA PR AG AI BB BM BS DM DO GD JM KN KY LC MS TC TT VC VG AU NZ CN HK SG MX",
	"dtmf":     "IN BR NL BE FI IS SE SA UY",
	"uk":       "GB",
	noCallerID: "JP",

	"dtmf-a-hash": "DK",
	"dtmf-d":      "TW",
}

// schemeOf is that of a country by its code.
func schemeOf(country string) string {
	for name, list := range byCountry {
		if slices.Contains(strings.Fields(list), country) {
			return name
		}
	}
	return "etsi"
}

// Times around what is sent. The device's buffer of up to 150 ms comes on top of
// the silence before a ring.
const (
	afterRing    = 550 * time.Millisecond // GR-30-CORE: at least 500 ms
	afterTurn    = 250 * time.Millisecond // ETSI: not sooner than 200 ms after the reversal
	afterAlert   = 60 * time.Millisecond  // SIN 227: at least 45 ms
	alertTime    = 100 * time.Millisecond // DT-AS: 88 to 110 ms
	beforeRing   = 300 * time.Millisecond // at least 200 ms
	callerOn     = 70 * time.Millisecond  // digits
	alertLow     = 2130.0                 // Hz
	alertHigh    = 2750.0
	alertLevel   = -11.0 // dBm0, both together
	callerMargin = 100 * time.Millisecond
)

// shown is how the phone is told of the call that rings.
type shown struct {
	scheme
	cad    hal.Cadence
	sound  []int16 // what it is told; empty: nothing
	rests  int     // pauses of the ringing so far
	told   bool
	turned bool            // the battery is reversed
	done   <-chan struct{} // closed when the sound is over
}

// over is closed when what the phone is told has been said; nil: nothing is.
func (s *shown) over() <-chan struct{} {
	if s == nil {
		return nil
	}
	return s.done
}

// show makes what the phone is told of a call.
func (l *Line) show(d call.Dial) *shown {
	s := &shown{scheme: schemes[l.cfg.CallerID], cad: l.rhythm(d)}
	if l.cfg.CallerID == noCallerID {
		return s
	}
	m := l.message(d)
	var parts []media.Clip
	switch {
	case s.start != "":
		digits := s.start + m.Number + s.end
		if m.Number == "" {
			digits = map[fsk.Absence]string{fsk.Private: "B10", fsk.Unavailable: "B00"}[m.NoNumber] + s.end
		}
		keys, err := dtmf.New(digits, dtmf.Config{On: callerOn, Off: callerOn})
		if err != nil {
			return s
		}
		parts = []media.Clip{media.Pause(afterTurn), keys, media.Pause(beforeRing)}
	case s.alert:
		parts = []media.Clip{media.Pause(afterTurn), alert(), media.Pause(afterAlert),
			fsk.NewSender(s.standard, fsk.Seizure, fsk.ShortMark, m.Encode(s.form), fsk.Level), media.Pause(beforeRing)}
	default:
		parts = []media.Clip{media.Pause(afterRing), fsk.NewSender(s.standard, fsk.Seizure, fsk.Mark, m.Encode(s.form), fsk.Level)}
	}
	sound, err := media.ReadAll(media.Concat(parts...), 10*time.Second)
	if err == nil {
		s.sound = sound
	}
	return s
}

// alert is the tone that tells a phone to listen (DT-AS, CAS).
func alert() media.Clip {
	return tone.Clip(tone.Tone{Steps: []tone.Step{{Hz: []float64{alertLow, alertHigh}}}}, alertLevel, alertTime)
}

// message is who calls, for the phone's display.
func (l *Line) message(d call.Dial) fsk.Message {
	m := fsk.Message{Name: d.FromName, When: time.Now()}
	if d.Private || d.From == "anonymous" {
		return fsk.Message{When: m.When, NoNumber: fsk.Private, NoName: fsk.Private}
	}
	number := l.cfg.Show(d.From)
	for _, r := range number {
		switch {
		case r >= '0' && r <= '9':
			m.Number += string(r)
		case strings.ContainsRune("+-() .", r):
		default: // a name
			m.Number = ""
			if m.Name == "" {
				m.Name = number
			}
			m.NoNumber = fsk.Unavailable
			return m
		}
	}
	if m.Number == "" {
		m.NoNumber = fsk.Unavailable
	}
	return m
}

// alert starts the ringing, or what comes before it.
func (l *Line) alert() error {
	s := l.shown
	if !s.before || len(s.sound) == 0 || s.told {
		return l.phone.Ring(s.cad)
	}
	s.told = true
	if s.reversed {
		if err := l.phone.SetPolarity(true); err != nil {
			return err
		}
		s.turned = true
		l.note("the battery is reversed, to wake the phone")
	}
	l.note(l.telling())
	s.done = l.sound.tell(media.ClipOf(s.sound))
	return nil
}

// told: what was to be said before the first ring has been said.
func (l *Line) told() {
	s := l.shown
	s.done = nil
	if !s.before || l.state != ringing {
		return
	}
	l.turnBack()
	if err := l.alert(); err != nil {
		l.fail(err.Error())
	}
}

// turnBack gives the battery its usual polarity.
func (l *Line) turnBack() {
	if s := l.shown; s != nil && s.turned {
		s.turned = false
		if err := l.phone.SetPolarity(false); err != nil {
			l.cfg.Log.Warn("polarity", "err", err)
		}
	}
}

// unshow ends what the phone is being told.
func (l *Line) unshow() {
	if l.shown != nil {
		l.sound.hush()
		l.turnBack()
		l.shown = nil
	}
}

// rested: the phone pauses between rings. In the first pause that is long enough
// it is told who calls.
func (l *Line) rested() {
	s := l.shown
	if l.state != ringing || s == nil || s.before || s.told {
		return
	}
	steps := s.cad.Steps
	pause := steps[(2*s.rests+1)%len(steps)]
	s.rests++
	if len(s.sound) > 0 && pause >= media.DurationOf(len(s.sound))+callerMargin {
		s.told = true
		l.note(l.telling())
		s.done = l.sound.tell(media.ClipOf(s.sound))
	}
}

// telling says that the phone is told who calls, and how.
func (l *Line) telling() string { return "the phone is told who calls, by " + l.cfg.CallerID }
