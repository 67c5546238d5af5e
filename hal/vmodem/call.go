package vmodem

import (
	"context"
	"errors"
	"fmt"
	"time"

	"callbox/hal"
	"callbox/hal/at"
)

// putTime bounds the way back on-hook.
const putTime = 20 * time.Second

// resumes is how often a duplex that ended by itself is begun again within a call.
const resumes = 5

// call is a seizure from its beginning to on-hook. The error is one after which the
// modem has to be set up anew.
func (s *session) call(ctx context.Context, o op) error {
	d := s.d
	d.feel(true, "seized")
	stop := context.AfterFunc(ctx, func() { d.Release() })
	defer stop()
	stream, err := s.connect(o)
	if err == nil {
		err = s.talk(o, stream)
	}
	d.sound.end()
	released := o.ctx.Err() != nil
	if released {
		err = nil
	}
	putErr := s.put(ctx)
	select {
	case <-s.e.Done():
		return s.e.Err() // lose tells the end
	default:
	}
	if putErr != nil && ctx.Err() == nil {
		return putErr
	}
	d.mu.Lock()
	d.state = idle
	if d.cancel != nil {
		d.cancel()
		d.cancel = nil
	}
	d.mu.Unlock()
	d.feel(true, "on-hook")
	if released && stream == nil {
		err = hal.ErrReleased
	}
	d.emit(hal.ExchangeEvent{Type: hal.Released, Err: err})
	return nil
}

// put puts the line on-hook, whatever happened.
func (s *session) put(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), putTime)
	defer cancel()
	return s.onHook(ctx)
}

// connect takes the line off-hook, dials, and goes into the duplex.
func (s *session) connect(o op) (*at.Stream, error) {
	ctx := o.ctx
	for _, c := range []string{"AT+FCLASS=8", "AT+VSM=131,8000"} {
		if _, err := s.e.Do(ctx, at.Command{Text: c, Priority: at.Urgent, Timeout: commandTime}); err != nil {
			return nil, err
		}
	}
	for _, c := range []string{s.model.silence, "AT+VIT=0", "AT+VGT=128", "AT+VGR=128"} {
		s.try(ctx, c)
	}
	if _, err := s.e.Do(ctx, at.Command{Text: "AT+VLS=1", Priority: at.Urgent, Timeout: commandTime}); err != nil {
		return nil, err
	}
	if o.o.Digits != "" {
		if err := s.dial(ctx, o.o); err != nil {
			return nil, err
		}
	}
	return s.duplex(ctx)
}

// dial dials on a line that is off-hook.
func (s *session) dial(ctx context.Context, o hal.Seizure) error {
	s.d.feel(true, "dialling")
	text := "ATDT"
	if o.Pulse {
		text = "ATDP"
	}
	if o.Blind {
		s.try(ctx, "ATX3")
	} else {
		s.try(ctx, "ATX4")
		text += "W"
	}
	_, err := s.e.Do(ctx, at.Command{Text: text + o.Digits + ";", Class: at.Dial, Abort: "\r", Priority: at.Urgent})
	var f *at.FinalError
	if errors.As(err, &f) && f.Final == at.NoDialtone {
		return hal.ErrNoDialTone
	}
	return err
}

// duplex begins the sound.
func (s *session) duplex(ctx context.Context) (*at.Stream, error) {
	return s.e.Stream(ctx, at.Command{Text: "AT+VTR", Priority: at.Urgent, Timeout: commandTime})
}

// talk lets sound pass until the line is released.
func (s *session) talk(o op, stream *at.Stream) error {
	d := s.d
	if !s.connected() {
		return s.leave(stream)
	}
	d.feel(true, "off-hook")
	d.emit(hal.ExchangeEvent{Type: hal.Connected})
	for tries := 0; ; {
		next, err := s.pass(o, stream)
		if err != nil || next == done || o.ctx.Err() != nil {
			return err
		}
		if next == broken {
			tries++
		}
		if tries > resumes {
			return errors.New("the modem's sound breaks off again and again")
		}
		if stream, err = s.duplex(o.ctx); err != nil {
			return fmt.Errorf("the modem's sound has ended and does not begin again: %w", err)
		}
	}
}

// connected moves on from seizing, unless the line was released meanwhile.
func (s *session) connected() bool {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if s.d.state != seizing {
		return false
	}
	s.d.state = connected
	select {
	case <-s.d.flash: // of a call that ended at this moment
	default:
	}
	return true
}

// next is what follows a duplex.
type next int

const (
	done    next = iota
	flashed      // the loop was broken for a moment; another one
	broken       // it ended by itself; another one, but not for ever
)

// pass is one duplex.
func (s *session) pass(o op, stream *at.Stream) (next, error) {
	d := s.d
	d.sound.begin(stream)
	watch := time.NewTicker(quietTime)
	defer watch.Stop()
	heard := d.sound.readSoFar()
	codes := stream.Codes()
	for {
		select {
		case <-o.ctx.Done():
			d.sound.end()
			return done, s.leave(stream)
		case <-s.e.Done():
			return done, s.e.Err()
		case <-stream.Done():
			d.sound.end()
			return broken, nil
		case c, ok := <-codes:
			if !ok {
				codes = nil
				continue
			}
			if c == 'u' {
				d.sound.underrun()
			}
			s.code(c, time.Now())
		case <-d.flash:
			d.sound.end()
			if err := s.leave(stream); err != nil {
				return done, err
			}
			s.try(o.ctx, "AT+VTS=!")
			return flashed, nil
		case <-watch.C:
			n := d.sound.readSoFar()
			if n == heard {
				d.sound.end()
				d.log.Warn("the modem sends no sound; it is called back to commands")
				return broken, s.leave(stream)
			}
			heard = n
		}
	}
}

// leave ends the duplex.
func (s *session) leave(stream *at.Stream) error {
	ctx, cancel := context.WithTimeout(context.Background(), putTime)
	defer cancel()
	return stream.Leave(ctx, s.model.leave)
}
