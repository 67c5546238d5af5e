package cell

import (
	"encoding/binary"
	"sync"
	"time"
)

const (
	frame    = 160  // samples of 20 ms
	maxUp    = 800  // samples that the modem keeps of what the box says: 100 ms
	backlog  = 2000 // bytes of old sound
	frameGap = 20 * time.Millisecond
)

// sound is a modem's stream of sound, paced by a clock of its own.
type sound struct {
	m    *Modem
	wake chan struct{} // something has changed
	done chan struct{}

	mu     sync.Mutex // guards what follows
	out    outlet     // nil: unplugged
	card   outlet     // the modem's own sound card; nil: nobody has opened it
	byCard bool       // sound goes by the card
	on     bool       // a call wants it
	talk   *talk
	ring   bool // the ringback tone sounds
	faults Faults
	start  time.Time // of the clock
	n      int64     // frames since start
	rung   int       // samples of the ringback tone
	held   []byte    // of a burst
	odd    bool      // the stray byte was sent
	half   []byte    // a byte of a sample that is not complete
	up     []int16   // what the box said and nobody has heard yet
	stuck  int       // bytes of the box that lie in a stalled line
	lost   int       // samples of the box that did not fit
	starve int       // frames for which the box had said too little
	closed bool
}

func newSound(m *Modem) *sound {
	s := &sound{m: m, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *sound) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *sound) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.signal()
	<-s.done
}

func (s *sound) plug(out outlet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out, s.on = out, false
	if out != nil && s.faults.Backlog {
		out(make([]byte, backlog+1))
	}
	s.signal()
}

// plugCard opens the modem's own sound card.
func (s *sound) plugCard(out outlet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.card = out
}

// route says whether sound goes by the card.
func (s *sound) route(card bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byCard = card
}

func (s *sound) fault(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// begin starts the stream for a call.
func (s *sound) begin(t *talk, ring bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.talk, s.ring = t, ring
	if !s.on {
		s.on, s.start, s.n, s.rung, s.up, s.half, s.held, s.odd = true, time.Now(), 0, 0, nil, nil, nil, false
		if s.out != nil && s.faults.Backlog {
			s.out(make([]byte, backlog))
		}
	}
	s.signal()
}

// end stops the stream.
func (s *sound) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on, s.talk = false, nil
}

// run is the clock.
func (s *sound) run() {
	defer close(s.done)
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	for {
		s.mu.Lock()
		wait := time.Hour
		if s.on {
			gap := float64(frameGap) / (1 + s.faults.RatePPM/1e6)
			wait = time.Until(s.start.Add(time.Duration(float64(s.n+1) * gap)))
		}
		closed := s.closed
		s.mu.Unlock()
		if closed {
			return
		}
		if wait <= 0 {
			s.tick()
			continue
		}
		t.Reset(wait)
		select {
		case <-s.wake:
		case <-t.C:
		}
	}
}

// tick moves 20 ms in both directions.
func (s *sound) tick() {
	var p [frame]int16
	s.mu.Lock()
	s.n++
	t, ring, f, out := s.talk, s.ring, s.faults, s.out
	if s.byCard {
		out = s.card
	}
	if !s.on || t == nil {
		s.mu.Unlock()
		return
	}
	if ring {
		ringTone(p[:], s.rung)
		s.rung += frame
	}
	s.mu.Unlock()
	other := t.other(s.m)
	if !ring {
		other.voice(t, p[:])
	}
	if sub, ok := other.(*Subscriber); ok && t.isUp() {
		var said [frame]int16
		s.m.voice(t, said[:])
		sub.hear(t, said[:])
	}
	if out == nil || f.Stalled {
		return
	}
	if f.DeadDown {
		p = [frame]int16{}
	}
	s.deliver(out, p[:], f)
}

// deliver gives a frame to the box.
func (s *sound) deliver(out outlet, p []int16, f Faults) {
	s.mu.Lock()
	b := s.held
	if f.OddStart && !s.odd {
		s.odd = true
		b = append(b, 0x7F)
	}
	for _, v := range p {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	hold := f.Burst > 1 && s.n%int64(f.Burst) != 0
	s.held = nil
	if hold {
		s.held = b
	}
	s.mu.Unlock()
	if !hold {
		out(b) // what the box does not take is lost, as on a real modem
	}
}

// uplink takes what the box says and tells how much of it; what comes while there
// is no call, or too much of it, is lost.
func (s *sound) uplink(b []byte) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.Stalled {
		n := min(len(b), wireRoom-s.stuck)
		s.stuck += n
		return n
	}
	s.stuck = 0
	if !s.on {
		return len(b)
	}
	s.half = append(s.half, b...)
	for len(s.half) >= 2 {
		if len(s.up) >= maxUp {
			s.lost++
			s.up = s.up[1:]
		}
		s.up = append(s.up, int16(binary.LittleEndian.Uint16(s.half)))
		s.half = s.half[2:]
	}
	return len(b)
}

// voice implements end: what the box said.
func (m *Modem) voice(t *talk, p []int16) {
	s := m.sound
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(p)
	if s.talk != t || !s.on {
		return
	}
	n := copy(p, s.up)
	s.up = s.up[n:]
	if n < len(p) {
		s.starve++
	}
	if s.faults.DeadUp {
		clear(p)
	}
}

// SoundStats are the counters of a modem's sound since it was made.
type SoundStats struct {
	Lost    int // samples of the box that came too fast
	Starved int // frames for which the box had said too little
	Waiting int // samples of the box that wait now
}

// SoundStats gives them.
func (m *Modem) SoundStats() SoundStats {
	s := m.sound
	s.mu.Lock()
	defer s.mu.Unlock()
	return SoundStats{Lost: s.lost, Starved: s.starve, Waiting: len(s.up)}
}
