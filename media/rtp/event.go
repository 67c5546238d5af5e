package rtp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"callbox/media"
)

// Telephone events (RFC 4733 §2.3) are four bytes:
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	|     event     |E|R| volume    |          duration             |
const (
	eventBytes   = 4
	eventEnd     = 0x80
	eventVolume  = 10 // −10 dBm0
	eventKeys    = "0123456789*#ABCD"
	eventLongest = 0xFFFF // samples in one segment
	// eventMemory is how far back a timestamp is taken for a repetition of an
	// older event: the longest event and then some. Farther back the sender has
	// started its clock anew.
	eventMemory = 80000
)

// keyEvent is the event code of a key; ok is false for other characters.
func keyEvent(key byte) (code byte, ok bool) {
	if key >= 'a' && key <= 'd' {
		key -= 'a' - 'A'
	}
	for i := range len(eventKeys) {
		if eventKeys[i] == key {
			return byte(i), true
		}
	}
	return 0, false
}

// eventIn finds key presses in telephone events. A press is its timestamp: all
// packets of one event carry the same one, so that lost starts, lost ends and
// repeated ends make no difference. It is guarded by its stream's lock.
type eventIn struct {
	known    bool
	ts       uint32 // of the present or last event
	code     byte
	ended    bool
	duration uint32 // latest, in samples
}

// packet enters an event packet and gives the key when a press begins, else 0.
func (e *eventIn) packet(ts uint32, payload []byte, marker bool) byte {
	if len(payload) < eventBytes || int(payload[0]) >= len(eventKeys) {
		return 0
	}
	code, end := payload[0], payload[1]&eventEnd != 0
	duration := uint32(binary.BigEndian.Uint16(payload[2:]))
	if e.known {
		delta := int32(ts - e.ts)
		switch {
		case delta == 0:
			e.duration, e.ended = max(e.duration, duration), e.ended || end
			return 0
		case delta < 0 && delta > -eventMemory:
			return 0 // repeated or overtaken
		case e.continues(code, uint32(delta), marker), e.strays(code, end, uint32(delta), duration, marker):
			e.ts, e.duration, e.ended = ts, duration, end
			return 0
		}
	}
	*e = eventIn{known: true, ts: ts, code: code, ended: end, duration: duration}
	return eventKeys[code]
}

// continues reports whether an event delta samples after the present one is its
// next segment: a key held for more than 8 s (RFC 4733 §2.5.1.3).
func (e *eventIn) continues(code byte, delta uint32, marker bool) bool {
	return !e.ended && !marker && code == e.code && delta >= eventLongest-400 && delta <= eventLongest+1 && e.duration >= eventLongest-1600
}

// strayRoom is how far, in samples, what wrong senders count may be off: 60 ms.
const strayRoom = 480

// strays reports whether a packet delta samples after the present event is still of
// it, though its timestamp says otherwise: some senders count the timestamp on with
// every packet, by as much as the duration grows, and go on counting while they
// repeat the end. A new press begins with a marker or with a shorter duration.
func (e *eventIn) strays(code byte, end bool, delta, duration uint32, marker bool) bool {
	switch {
	case marker || code != e.code || delta > strayRoom:
		return false
	case e.ended:
		return end && duration == e.duration
	}
	return duration > e.duration && duration-e.duration <= delta+strayRoom/2 || end && duration == e.duration
}

// forget is for a new source, whose timestamps have nothing to do with the old.
func (e *eventIn) forget() { *e = eventIn{} }

// eventDuration is the duration of an event packet, 0 if it is too short.
func eventDuration(payload []byte) uint32 {
	if len(payload) < eventBytes {
		return 0
	}
	return uint32(binary.BigEndian.Uint16(payload[2:]))
}

// putEvent writes an event payload.
func putEvent(b []byte, code byte, end bool, duration uint32) {
	b[0], b[1] = code, eventVolume
	if end {
		b[1] |= eventEnd
	}
	binary.BigEndian.PutUint16(b[2:], uint16(min(duration, eventLongest)))
}

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
	case !s.open || s.quiet:
		return nil, ErrHeld
	}
	s.flush()
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
