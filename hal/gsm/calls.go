package gsm

import (
	"errors"
	"fmt"
	"time"

	"callbox/hal"
	"callbox/hal/at"
)

// dial calls a number.
func (p *Port) dial(number string, hide bool, reply func(error)) {
	state := p.State()
	switch {
	case p.v.phase != idle:
		reply(hal.ErrInCall)
		return
	case !state.OK || p.s == nil:
		reply(fmt.Errorf("%w: %s", hal.ErrNotReady, state.Text))
		return
	}
	text := "ATD" + number
	if hide {
		text += "I"
	}
	if !p.do(func(s *session) { p.call(s, text+";") }) {
		reply(fmt.Errorf("%w: too many commands wait for it", hal.ErrNotReady))
		return
	}
	p.v = voice{out: true, number: number}
	p.forgetHangup()
	p.turn(asking)
	p.count(func(c *hal.ModemCounters) { c.Calls++ })
	p.note("calling %s", masked(number))
	reply(nil)
}

// call is the job that has the modem call.
func (p *Port) call(s *session, text string) {
	// What the modem still has to say of the call before comes before its answer.
	err := s.tell("AT", at.Local)
	for _, c := range s.row.prepare {
		_ = s.tell(c, at.Radio) // a sound that is not there is noticed in the call
	}
	wanted := false
	if !s.later(func() {
		if wanted = p.v.phase == asking; wanted {
			p.turn(calling)
			p.sound.begin()
		} else if p.v.phase == ending {
			p.release(hal.Release{Q850: 16, By: hal.ByBox})
		}
	}) || !wanted {
		return
	}
	if err == nil {
		_, err = s.engine.Do(s.ctx, at.Command{Text: text, Class: at.Dial})
	}
	if err == nil {
		for _, c := range s.row.connect {
			_ = s.tell(c, at.Radio)
		}
		return
	}
	s.later(func() { p.failed(err) })
}

// failed takes that the modem did not make the call.
func (p *Port) failed(err error) {
	var final *at.FinalError
	var cme *at.CMEError
	switch {
	case p.v.phase == ending:
		p.release(hal.Release{Q850: 16, By: hal.ByBox})
	case p.v.phase != calling && p.v.phase != ringing:
	case errors.As(err, &final) && final.Final == at.Busy:
		p.release(release(17, false))
	case errors.As(err, &final) && final.Final == at.NoAnswer:
		p.release(release(19, false))
	case errors.As(err, &final) && final.Final == at.NoCarrier:
		p.askCause()
	case errors.As(err, &cme):
		p.release(hal.Release{Q850: 41, By: hal.ByNetwork, Text: "the modem cannot call: " + cme.Text})
	case errors.Is(err, at.ErrTimeout): // the call may be there all the same: it is ended
		p.doNow(func(s *session) { _ = s.tell(s.row.hangup, at.Radio) })
		p.release(hal.Release{Q850: 102, By: hal.ByNetwork, Text: "the modem did not answer when it was asked to call"})
	default:
		p.release(hal.Release{Q850: 41, By: hal.ByBox, Text: "the modem cannot call: " + err.Error()})
	}
}

// askCause asks why the call has ended, and ends it.
func (p *Port) askCause() {
	if p.v.asked {
		return
	}
	p.v.asked = true
	if !p.doNow(func(s *session) {
		cause := 0
		if r, err := s.engine.Do(s.ctx, at.Command{Text: "AT+CEER", Answers: []string{"+CEER:"}, Class: at.Local, Priority: at.Urgent}); err == nil {
			cause = reason(r.Value("+CEER:"))
		}
		s.later(func() {
			if p.v.asked {
				if cause == 16 && !p.v.answered { // somebody refused it
					cause = 21
				}
				p.release(release(cause, p.v.answered))
			}
		})
	}) {
		p.release(release(0, p.v.answered))
	}
}

// answer answers the call that arrives.
func (p *Port) answer(reply func(error)) {
	switch {
	case p.v.phase == talking && !p.v.out:
		reply(nil)
		return
	case p.v.phase != offered || p.s == nil:
		reply(hal.ErrNoCall)
		return
	}
	if !p.do(func(s *session) {
		for _, c := range s.row.prepare {
			_ = s.tell(c, at.Radio)
		}
		_, err := s.engine.Do(s.ctx, at.Command{Text: "ATA", Class: at.Dial, Timeout: 20 * time.Second})
		if err == nil {
			for _, c := range s.row.connect {
				_ = s.tell(c, at.Radio)
			}
		}
		s.later(func() {
			switch {
			case err == nil && p.v.phase == offered:
				p.answered()
				reply(nil)
			case err == nil && p.v.phase == talking:
				reply(nil)
			case err == nil:
				reply(hal.ErrNoCall)
			default:
				reply(fmt.Errorf("answer: %w", err))
			}
		})
	}) {
		reply(fmt.Errorf("%w: too many commands wait for it", hal.ErrNotReady))
	}
}

// forgetHangup drops a hang-up of the call before, that came as it ended by itself.
func (p *Port) forgetHangup() {
	select {
	case <-p.hang:
	default:
	}
}

// hangUp ends the call.
func (p *Port) hangUp() {
	switch p.v.phase {
	case idle, arriving, ending:
		return
	case asking: // the modem is told nothing
		if p.s == nil {
			p.release(hal.Release{Q850: 16, By: hal.ByBox})
			return
		}
		p.turn(ending)
		return
	}
	p.turn(ending)
	p.doNow(func(s *session) {
		if s.row.soundOff != "" {
			_, _ = s.engine.Do(s.ctx, at.Command{Text: s.row.soundOff, Priority: at.Urgent})
		}
		_, err := s.engine.Do(s.ctx, at.Command{Text: s.row.hangup, Class: at.Radio, Timeout: endTime, Priority: at.Urgent})
		s.later(func() {
			if err == nil && p.v.phase == ending {
				p.release(hal.Release{Q850: 16, By: hal.ByBox})
			}
		})
	})
}

// sendDigit has the modem send a key.
func (p *Port) sendDigit(digit byte, reply func(error)) {
	if p.v.phase != talking || p.s == nil {
		reply(hal.ErrNoCall)
		return
	}
	if !p.do(func(s *session) {
		err := s.tell(fmt.Sprintf(s.row.digit, digit), at.Radio)
		if err == nil {
			s.pause(100 * time.Millisecond) // networks run keys together otherwise
		}
		reply(err)
	}) {
		reply(errors.New("too many keys wait for the modem"))
	}
}

// refuseWaiting tells a second caller that we are busy.
func (p *Port) refuseWaiting() {
	p.note("a second call was refused as busy")
	p.doNow(func(s *session) { _ = s.tell("AT+CHLD=0", at.Radio) })
}

// zombie ends a call that the modem has and nobody else knows of.
func (p *Port) zombie(s sign) {
	if s.state == incoming || p.v.phase == asking {
		return
	}
	p.note("the modem had a call that had ended; it was ended again")
	p.doNow(func(s *session) { _ = s.tell(s.row.hangup, at.Radio) })
}

// startSound starts the sound where the modem wants that after the answer.
func (p *Port) startSound() {
	s := p.s
	if s == nil || s.row.soundOn == "" || p.v.sounding {
		return
	}
	p.do(func(s *session) {
		err := s.tell(s.row.soundOn, at.Radio)
		if err != nil {
			s.pause(soundRetry)
		}
		s.later(func() { p.soundStarted(err) })
	})
}

// soundStarted takes whether it did.
func (p *Port) soundStarted(err error) {
	switch {
	case p.v.phase != talking:
	case err == nil:
		p.v.sounding = true
		if p.v.refused > 0 { // the known beginning of the end of its sound
			p.s.restart = "its sound started only after several attempts"
		}
	case p.v.refused < soundTries:
		p.v.refused++
		p.startSound()
	default:
		p.s.restart = "its sound did not start"
		p.warn("the modem did not start its sound in the last call; it is restarted")
	}
}

// judgeSound looks at the sound of a call that has ended.
func (p *Port) judgeSound(lasted time.Duration, samples int64, peak int) {
	const least = 3 * time.Second
	if lasted < least || p.s == nil {
		return
	}
	want := int64(lasted.Seconds() * hal.SampleRate)
	switch {
	case samples == 0:
		p.count(func(c *hal.ModemCounters) { c.NoSound++ })
		p.warn("no sound came from the modem in the last call")
	case p.s.row.soundOn != "" && samples < want*9/10:
		p.s.restart = "less sound came than the call lasted"
	case peak == 0:
		p.warn("the modem sent silence only in the last call; see its firmware")
	}
}

// warn adds a warning once.
func (p *Port) warn(text string) {
	p.note("%s", text)
	p.update(func(m *hal.ModemState) {
		for _, w := range m.Warnings {
			if w == text {
				return
			}
		}
		m.Warnings = append(m.Warnings, text)
	})
}
