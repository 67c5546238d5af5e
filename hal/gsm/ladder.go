package gsm

import (
	"errors"
	"time"

	"callbox/hal"
	"callbox/hal/at"
)

// The ladder of recovery. The lowest steps are the engine's (AT, then the line is
// opened again); these follow when the modem answers and does not work.
const (
	noNetwork  = 3 * time.Minute  // without a network before the radio is reset
	radioAgain = 10 * time.Minute // between resets of the radio, doubled up to an hour
	restarting = 3                // resets of the radio before the modem is restarted
	setupTime  = 90 * time.Second // that a modem may take to be set up
	longest    = time.Hour
)

// ladder counts what was tried since the modem last worked.
type ladder struct {
	resets   int
	restarts int       // after which there was no network either
	next     time.Time // not before
}

// well forgets what was tried: the modem works.
func (l *ladder) well() { *l = ladder{} }

// wait is the time until the next step, after so many.
func (l *ladder) wait() time.Duration {
	return min(radioAgain<<min(l.resets+restarting*l.restarts, 4), longest)
}

// tick does what is due.
func (p *Port) tick() {
	s := p.s
	if s == nil {
		p.awaken("the modem does not answer, or is not there")
		p.tickCall()
		return
	}
	switch s.stage {
	case setting:
		if time.Since(s.since) > setupTime {
			p.reopen("the modem did not let itself be set up in time")
			return
		}
	case card:
		p.every("card", cardTime, func(s *session) {
			state, err := s.cardState(0)
			s.later(func() {
				if s.stage == card {
					p.useCard(state, err)
				}
			})
		})
	case running:
		p.every("card", cardAgain, func(s *session) {
			state, err := s.cardState(0)
			var cme *at.CMEError
			if state == "READY" || state == "" && !errors.As(err, &cme) || cme != nil && cme.Code == at.CMESIMBusy {
				return // it is there, or nothing was said of it
			}
			s.later(func() {
				if s.stage == running {
					p.useCard(state, err)
				}
			})
		})
		p.askNetwork()
		p.askSignal()
		p.askClock()
		p.climb()
	}
	p.tickCall()
}

// climb takes the next step of the ladder when the modem has had no network for long.
func (p *Port) climb() {
	s := p.s
	now := time.Now()
	switch {
	case p.v.phase != idle:
	case s.restart != "":
		p.restartModem(s.restart)
	case s.net.lost.IsZero() || now.Sub(s.net.lost) < noNetwork || now.Before(p.ladder.next):
	case p.ladder.resets < restarting:
		p.ladder.next = now.Add(p.ladder.wait())
		p.ladder.resets++
		p.count(func(c *hal.ModemCounters) { c.RadioResets++ })
		p.note("no network for %v: the radio is switched off and on", now.Sub(s.net.lost).Round(time.Second))
		p.do(func(s *session) {
			_ = s.tell("AT+CFUN=4", at.SIM)
			s.pause(2 * time.Second)
			_ = s.tell("AT+CFUN=1", at.SIM)
		})
	default:
		p.ladder.next = now.Add(p.ladder.wait())
		p.ladder.resets = 0
		p.ladder.restarts++
		if p.ladder.restarts > deadRestarts && len(p.powers()) > 0 {
			p.supply.next = now
			if p.awaken("there was no network for long, and restarts have not helped") || p.supply.busy {
				return
			}
		}
		p.restartModem("there was no network for long")
	}
}

// restartModem has the modem boot: it vanishes and comes back by other names.
func (p *Port) restartModem(why string) {
	p.s.restart = ""
	p.s.stage, p.s.since = setting, time.Now() // until it vanishes, or is opened again
	p.count(func(c *hal.ModemCounters) { c.Restarts++ })
	p.note("the modem is restarted: %s", why)
	p.condition(false, "the modem is being restarted: "+why)
	p.do(func(s *session) { _ = s.tell(s.row.restart, at.Radio) })
}

// tickCall looks after the call.
func (p *Port) tickCall() {
	v := &p.v
	age := time.Since(v.since)
	switch v.phase {
	case idle:
		if p.s != nil && p.s.stage == running { // a call that was missed, or never ended
			p.pollCalls(5 * time.Second)
		}
		return
	case arriving:
		if age > numberTime {
			p.announce()
		}
	case offered:
		if age > ringTime {
			v.since = time.Now()
			if v.missing++; v.missing > 1 {
				p.over(sign{state: gone})
				return
			}
		}
	case calling, ringing:
		if age > callingTime {
			p.hangUp()
			return
		}
	case ending:
		if age > endTime {
			p.note("the modem did not end the call in time")
			p.release(hal.Release{Q850: 16, By: hal.ByBox})
			return
		}
	case asking, talking:
	}
	if p.s != nil && v.phase != asking {
		p.pollCalls(pollTime)
	}
}

// pollCalls asks for the list of calls.
func (p *Port) pollCalls(period time.Duration) {
	p.every("calls", period, func(s *session) {
		r, err := s.engine.Do(s.ctx, at.Command{Text: "AT+CLCC", Answers: []string{"+CLCC:"}, Priority: at.Background})
		if err != nil {
			return
		}
		var signs []sign
		for _, l := range r.Lines {
			if g, ok := s.row.signOf(l); ok {
				signs = append(signs, g)
			}
		}
		s.later(func() { p.poll(signs) })
	})
}
