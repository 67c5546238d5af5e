package fxs

import (
	"time"

	"callbox/media"
	"callbox/media/fsk"
)

// lamp is the lamp of waiting messages of the phone, as far as the box has set it.
type lamp struct {
	lit    bool      // dark at first
	unsure bool      // what set it was broken off
	at     time.Time // when to set it; zero: not now
}

// SetMessages says how many messages wait for the phone: the dial tone stutters, and
// a phone with a lamp lights it. It may be called from any goroutine.
func (l *Line) SetMessages(n int) {
	l.messages.Store(int32(n))
	l.loop.Wake()
}

// light plans to set the lamp when it is wrong and the phone has nothing else to do.
func (l *Line) light() {
	lit := l.messages.Load() > 0
	switch {
	case l.state != idle:
		l.lamp.at = time.Time{}
	case !l.lamp.at.IsZero(), lit == l.lamp.lit && !l.lamp.unsure:
	default:
		l.lamp.at = time.Now().Add(lampTime)
	}
}

// shine sets the lamp: data to a phone that is on-hook and does not ring (GR-1401;
// ETSI EN 300 659-1 §6.2, with an alert tone first).
func (l *Line) shine() {
	l.lamp.at = time.Time{}
	s := schemes[l.cfg.CallerID]
	lit := l.messages.Load() > 0
	l.lamp.unsure, l.lamp.lit = false, lit
	if l.state != idle || l.cfg.CallerID == noCallerID || s.start != "" {
		return
	}
	m := fsk.Message{Waiting: true, Lamp: lit}.Encode(s.form)
	parts := []media.Clip{media.Pause(afterTurn)}
	mark := fsk.Mark
	if s.standard == fsk.V23 {
		parts, mark = append(parts, alert(), media.Pause(afterAlert)), fsk.ShortMark
	}
	parts = append(parts, fsk.NewSender(s.standard, fsk.Seizure, mark, m, fsk.Level), media.Pause(beforeRing))
	l.sound.tell(media.Concat(parts...))
}

// dim breaks off what sets the lamp, because a call comes; it is set later.
func (l *Line) dim() {
	if l.state == idle && l.sound.telling() {
		l.sound.hush()
		l.lamp.unsure = true
	}
}
