package rtp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"callbox/media"
)

// Errors of [Stream.SendDigit] that callers branch on: the key can still be
// played as a tone.
var (
	// ErrNoEvents means that the far end did not negotiate telephone-event.
	ErrNoEvents = errors.New("the far end takes no telephone events")
	// ErrHeld means that nothing may be sent now.
	ErrHeld = errors.New("sending is on hold")
)

const (
	minDigit = 40 * time.Millisecond
	maxDigit = 8 * time.Second
	// eventEnds is how often the end of an event is sent (RFC 4733 §2.5.1.4).
	eventEnds = 3
	// tickPatience is how long an event waits for the media clock before it takes
	// its own steps: a relayed stream is not written to.
	tickPatience = 35 * time.Millisecond
)

// eventOut is the telephone event being sent. It is guarded by its sender's lock.
type eventOut struct {
	active bool
	code   byte
	ts     uint32
	now    uint32 // duration so far, in samples
	total  uint32
	ends   int  // end packets sent
	self   bool // SendDigit takes the steps
	last   time.Time
	done   chan error // takes one value at the end
}

// finish ends the event, if there is one.
func (e *eventOut) finish(err error) {
	if e.active {
		e.active = false
		e.done <- err // has room for it
	}
}

// startEvent begins an event and gives the channel that tells its end.
func (s *sender) startEvent(code byte, d time.Duration, now time.Time) (<-chan error, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.params.EventPT == 0 || s.params.Codec.IsZero():
		return nil, ErrNoEvents
	case !s.open:
		return nil, ErrHeld
	}
	s.feed.valid = false                                                    // our own packets take the next sequence numbers
	if !s.started || s.resync || s.feed.from != nil || s.ticks.Load() > 1 { // nothing was written of late
		s.resync = true
		s.pace(0, now)
	}
	frames := uint32((d + media.FrameDuration - 1) / media.FrameDuration)
	s.ev = eventOut{
		active: true, code: code, ts: s.nextTS, total: frames * media.FrameSamples,
		last: now, done: make(chan error, 1),
	}
	return s.ev.done, nil
}

// stepEvent sends the next packet of the event. The caller holds s.mu.
func (s *sender) stepEvent(now time.Time) {
	e := &s.ev
	first := e.now == 0
	if e.now < e.total {
		e.now += media.FrameSamples
	}
	end := e.now >= e.total && !first
	if end {
		e.ends++
	}
	e.last = now
	var payload [eventBytes]byte
	putEvent(payload[:], e.code, end, e.now)
	copy(s.buf[headerBytes:], payload[:])
	s.hdr.Timestamp = e.ts
	s.emit(s.buf[:headerBytes+eventBytes], s.params.EventPT, first)
	if e.ends == eventEnds {
		// The next event must not have the same timestamp, also when no clock runs.
		if over := e.ts + e.total; int32(over-s.nextTS) > 0 {
			s.nextTS = over
		}
		s.marker = true
		e.finish(nil)
	}
}

// tickEvent takes a step when the clock does not, and ends an event that may no
// longer be sent.
func (s *sender) tickEvent(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &s.ev
	switch {
	case !e.active:
	case !s.open:
		e.finish(ErrHeld)
	case e.self || now.Sub(e.last) >= tickPatience:
		e.self = true
		s.resync = true
		s.stepEvent(now)
	}
}

// cutEvent ends the event now, with all its end packets.
func (s *sender) cutEvent(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ev.active {
		return
	}
	if s.ev.now == 0 || !s.open { // nothing was sent yet, or nothing may be
		s.ev.finish(context.Canceled)
		return
	}
	s.ev.total = s.ev.now
	for s.ev.active {
		s.stepEvent(now)
	}
}

// SendDigit sends one of 0-9 * # A-D as a telephone event (RFC 4733) of length
// d, 40 ms to 8 s, rounded up to 20 ms, and returns when it was sent or ctx
// ended, which ends the event early. Sound written or relayed meanwhile is
// dropped. Digits sent at the same time wait for each other. The errors are
// ErrNoEvents, ErrHeld, ErrClosed, ctx's, and one for a bad digit or length.
func (s *Stream) SendDigit(ctx context.Context, digit byte, d time.Duration) error {
	code, ok := keyEvent(digit)
	if !ok {
		return fmt.Errorf("%q is not a key", digit)
	}
	if d < minDigit || d > maxDigit {
		return fmt.Errorf("a digit of %v is not between %v and %v", d, minDigit, maxDigit)
	}
	select {
	case s.digits <- struct{}{}:
		defer func() { <-s.digits }()
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return ErrClosed
	}
	done, err := s.send.startEvent(code, d, time.Now())
	if err != nil {
		return err
	}
	tick := time.NewTicker(media.FrameDuration)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			s.send.cutEvent(time.Now())
			return ctx.Err()
		case <-tick.C:
			s.send.tickEvent(time.Now())
		}
	}
}
