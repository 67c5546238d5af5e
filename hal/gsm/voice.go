package gsm

import (
	"time"

	"callbox/hal"
)

// phase is how far the port's call is.
type phase int

const (
	idle     phase = iota
	asking         // Dial was called, the modem has not been told yet
	calling        // the modem calls
	ringing        // the far telephone rings
	arriving       // a call arrives, its number may follow
	offered        // it was told of
	talking        // answered
	ending         // Hangup was called
)

// voice is the port's call. It is the port's goroutine's.
type voice struct {
	phase    phase
	out      bool // the box called
	answered bool
	number   string
	since    time.Time // of the phase
	missing  int       // polls in a row that did not show the call
	refused  int       // times that the modem did not start its sound
	sounding bool      // the sound was started
	asked    bool      // the network's cause is being asked for
	began    time.Time // of the answer
}

// Times of a call.
const (
	numberTime  = 2 * time.Second        // that a caller's number may take after the ring
	endTime     = 3 * time.Second        // that the modem may take to end a call
	pollTime    = 2 * time.Second        // between looks at the modem's list of calls
	ringTime    = 10 * time.Second       // after which a call that no longer rings has gone
	settleTime  = 3 * time.Second        // before a call that the list does not show counts as gone
	soundRetry  = 300 * time.Millisecond // between attempts to start the sound
	soundTries  = 40
	callingTime = 4 * time.Minute // that a call may take to be answered
)

// turn enters a phase.
func (p *Port) turn(to phase) {
	p.v.phase, p.v.since = to, time.Now()
	p.v.missing = 0
	p.update(func(s *hal.ModemState) { s.Busy = to != idle })
}

// heed takes what a line says about a call.
func (p *Port) heed(s sign) {
	v := &p.v
	if s.number != "" && (v.phase == arriving || v.phase == idle) && !s.out {
		v.number = s.number
	}
	switch s.state {
	case unknown:
		if v.phase == arriving {
			p.announce()
		}
	case incoming:
		switch v.phase {
		case idle:
			number := s.number
			p.v = voice{number: number}
			p.turn(arriving)
			p.count(func(c *hal.ModemCounters) { c.Calls++ })
			if number != "" {
				p.announce()
			}
		case arriving:
			v.missing = 0
			if s.number != "" {
				p.announce()
			}
		case offered:
			v.since, v.missing = time.Now(), 0
		}
	case waiting:
		p.refuseWaiting()
	case dialling:
	case alerting:
		if v.phase == calling {
			p.turn(ringing)
			p.emit(hal.ModemEvent{Type: hal.ModemAlerting})
			if p.s != nil && p.s.row.early {
				p.emit(hal.ModemEvent{Type: hal.ModemEarly})
			}
		}
	case active, held:
		if v.phase == calling || v.phase == ringing {
			p.answered()
		}
	case gone:
		p.over(s)
	}
}

// announce tells of the call that arrives.
func (p *Port) announce() {
	p.forgetHangup()
	p.turn(offered)
	p.note("a call from %s arrives", masked(p.v.number))
	p.emit(hal.ModemEvent{Type: hal.ModemIncoming, Number: p.v.number})
}

// answered tells of the answer and starts the sound where that has to wait for it.
func (p *Port) answered() {
	p.v.answered, p.v.began = true, time.Now()
	p.turn(talking)
	p.sound.begin()
	p.startSound()
	p.emit(hal.ModemEvent{Type: hal.ModemAnswered})
}

// over takes the news that the call has gone.
func (p *Port) over(s sign) {
	v := &p.v
	switch v.phase {
	case idle, asking: // that was the call before
	case ending:
		p.release(hal.Release{Q850: 16, By: hal.ByBox})
	case arriving:
		p.v = voice{}
		p.turn(idle)
	case offered:
		p.release(hal.Release{Q850: 16, By: hal.ByFarEnd, Text: "the caller gave up before the answer"})
	default:
		if s.cause == 0 && !v.answered {
			p.askCause()
			return
		}
		p.release(release(s.cause, v.answered))
	}
}

// release ends the call.
func (p *Port) release(r hal.Release) {
	v := p.v
	p.v = voice{}
	p.turn(idle)
	samples, peak := p.sound.end()
	if v.answered {
		p.judgeSound(time.Since(v.began), samples, peak)
	}
	if r.Text != "" {
		p.note("the call has ended: %s", r.Text)
	} else {
		p.note("the call has ended")
	}
	p.emit(hal.ModemEvent{Type: hal.ModemReleased, Release: r})
}

// poll compares the modem's list of calls with what was told by itself.
func (p *Port) poll(signs []sign) {
	v := &p.v
	mine := false
	for _, s := range signs {
		if s.state == waiting {
			p.refuseWaiting()
			continue
		}
		if v.phase == idle && s.state != incoming || v.phase == asking {
			p.zombie(s)
			continue
		}
		if v.phase == arriving || v.phase == offered || s.out == v.out || v.phase == idle {
			mine = true
			p.heed(s)
		}
	}
	switch {
	case mine || v.phase == idle || v.phase == asking:
		v.missing = 0
	case time.Since(v.since) > settleTime || v.phase == talking || v.phase == ending:
		if v.missing++; v.missing >= 2 {
			p.count(func(c *hal.ModemCounters) { c.SavedByPoll++ })
			p.note("the modem did not tell that the call has ended; its list of calls did")
			p.over(sign{state: gone})
		}
	}
}

// masked shows the end of a number.
func masked(number string) string {
	if number == "" {
		return "a hidden number"
	}
	if len(number) <= 4 {
		return "…" + number
	}
	return "…" + number[len(number)-3:]
}
