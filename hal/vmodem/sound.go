package vmodem

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"callbox/hal"
	"callbox/hal/at"
	"callbox/media/codec"
)

// errOnHook is the error of sound on a line that is not connected.
var errOnHook = errors.New("the exchange line is on-hook")

// prefill is how many samples the modem has in hand, so that a late frame of the box
// is not heard: 60 ms. It is part of the line's delay.
const prefill = 480

// frameMax is the largest block that is written at once.
const frameMax = 160

// cancelSound empties the modem's buffer (V.253 §8.1, CAN).
const cancelSound = 0x18

// sound is the line's sound while it is connected.
//
// The modem plays a sample for each that it sends. Of those that the box may write,
// credit says how many it may write now: what the modem has in hand, what is on the
// way, and the credit are prefill together. More credit than that means that the
// modem ran dry, and is forgotten: so its buffer never grows.
type sound struct {
	mu      sync.Mutex // guards what follows
	cond    *sync.Cond
	stream  *at.Stream // nil: on-hook
	closed  bool
	credit  int
	stats   hal.PCMStats
	running bool // both directions have begun in this stream

	in  [frameMax]byte // owned by the reader
	out [frameMax]byte // owned by the writer
}

func newSound() *sound {
	s := &sound{}
	s.cond = sync.NewCond(&s.mu)
	return s
}

// begin lets sound pass.
func (s *sound) begin(st *at.Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stream, s.credit, s.running = st, prefill, false
	s.cond.Broadcast()
}

// end stops it: who reads or writes gets an error.
func (s *sound) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stream = nil
	s.cond.Broadcast()
}

func (s *sound) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.stream = true, nil
	s.cond.Broadcast()
}

// underrun begins anew with an empty buffer at the modem: what was on the way when it
// ran dry would stay as delay.
func (s *sound) underrun() {
	s.mu.Lock()
	st := s.stream
	if st != nil && s.running {
		s.stats.Underruns++
	}
	// At the start nothing is in the modem yet.
	again := st != nil && s.running && s.credit < prefill/2
	if again {
		s.credit = prefill
		s.cond.Broadcast()
	}
	s.mu.Unlock()
	if again {
		_ = st.Send(cancelSound) // a stream that is ending plays nothing any more
	}
}

// readSoFar grows as long as the modem sends sound: the line always reads.
func (s *sound) readSoFar() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats.Read
}

// current is the stream, or why there is none.
func (s *sound) current() (*at.Stream, error) {
	switch {
	case s.closed:
		return nil, hal.ErrClosed
	case s.stream == nil:
		return nil, errOnHook
	}
	return s.stream, nil
}

// Read implements [hal.PCM]. On a line that is on-hook it fails.
func (d *Driver) Read(p []int16) (int, error) {
	s := d.sound
	for at := 0; at < len(p); {
		s.mu.Lock()
		st, err := s.current()
		s.mu.Unlock()
		if err != nil {
			return at, err
		}
		b := s.in[:min(len(s.in), len(p)-at)]
		if _, err := io.ReadFull(st, b); err != nil {
			return at, fmt.Errorf("%w: %w", errOnHook, err)
		}
		codec.PCMU.Decode(p[at:], b)
		at += len(b)
		s.mu.Lock()
		s.stats.Read += uint64(len(b))
		if s.credit += len(b); s.credit > prefill {
			s.credit = prefill
		}
		s.cond.Broadcast()
		s.mu.Unlock()
	}
	return len(p), nil
}

// Write implements [hal.PCM]. On a line that is on-hook it fails.
func (d *Driver) Write(p []int16) (int, error) {
	s := d.sound
	for at := 0; at < len(p); {
		n := min(len(s.out), len(p)-at)
		s.mu.Lock()
		st, err := s.current()
		for err == nil && s.credit < n {
			s.cond.Wait()
			st, err = s.current()
		}
		if err != nil {
			s.mu.Unlock()
			return at, err
		}
		s.credit -= n
		s.running = true
		s.stats.Written += uint64(n)
		s.mu.Unlock()
		codec.PCMU.Encode(s.out[:], p[at:at+n])
		if _, err := st.Write(s.out[:n]); err != nil {
			return at, fmt.Errorf("%w: %w", errOnHook, err)
		}
		at += n
	}
	return len(p), nil
}

// Stats implements [hal.PCM].
func (d *Driver) Stats() hal.PCMStats {
	d.sound.mu.Lock()
	defer d.sound.mu.Unlock()
	return d.sound.stats
}

// Offset implements [hal.Aligned], but for the delay of the modem itself, which is
// not known: it is measured by who cancels the echo.
func (d *Driver) Offset() (int64, bool) {
	s := d.sound
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream == nil || !s.running {
		return 0, false
	}
	return int64(s.stats.Read) - (int64(s.stats.Written) - prefill + int64(s.credit)), true
}
