package session

import (
	"slices"
	"sync"

	"callbox/media"
	"callbox/media/quality"
	"callbox/media/tone"
)

// Direction names one of the two ways of a session.
type Direction uint8

const (
	In  Direction = iota // what the far end says
	Out                  // what the far end is told
)

// String gives the direction for logs.
func (d Direction) String() string {
	if d == In {
		return "in"
	}
	return "out"
}

// Stats are a session's counters since it was made.
type Stats struct {
	Ticks     uint64 // ticks done
	Empty     uint64 // ticks on which the far end said nothing, not counting relayed ones
	Relayed   uint64 // ticks that passed on the relay path
	Switches  uint64 // changes between relay and decoded path
	Clips     uint64 // clips begun
	ClipFails uint64 // clips whose Close failed
	Fax       bool   // a fax machine or a modem was heard, see media.Transparent
}

// Session is the sound of one leg. Collect and Deliver belong to the clock; all
// other methods may be called from any goroutine but never from within a tap.
type Session struct {
	sched media.Scheduler
	port  media.Port
	done  chan struct{}  // closed by Close
	clips sync.WaitGroup // the goroutines of Play

	// Owned by the clock's goroutine: what was heard in this tick.
	in    media.Frame
	heard bool
	out   media.Frame
	extra media.Frame

	mu       sync.Mutex // guards what follows; held during a tick's phase
	closed   bool
	quiet    bool // send nothing when there is nothing to say
	player   *Playback
	beside   [MaxBeside]*Playback // what plays besides; nil: a free place
	muted    bool
	holding  bool
	loudness int      // of what the far end is told, in 1/256
	taps     []*tap   // replaced, never changed
	voices   []*voice // likewise
	bridge   *bridge
	peer     *Session   // the other side of bridge
	seat     media.Port // a place in a room, instead of a bridge
	relaying bool       // the ports do it all
	recheck  int        // ticks until the bridge is looked at again
	stats    Stats
	// What was heard and what was said, while the session had it.
	meterIn, meterOut quality.Meter
	fax               *tone.FaxDetector // nil: it has been heard
}

// tap is one listener.
type tap struct {
	dir  Direction
	sink media.Sink
}

// voice is a source that is heard beside everything else.
type voice struct{ src media.Source }

var _ media.Ticker = (*Session)(nil)

// New makes a session of port and puts it on the clock. It is silent: it writes
// silence until something is played or bridged.
func New(sched media.Scheduler, port media.Port) *Session {
	s := &Session{sched: sched, port: port, done: make(chan struct{}), loudness: unity, fax: tone.NewFaxDetector()}
	sched.Add(s)
	return s
}

// SetSilence says whether silence is written on ticks with nothing to say, so
// that far ends and address translators see continuous sound. It is on from the
// start; off saves bandwidth.
func (s *Session) SetSilence(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quiet = !on
}

// Port is the port given to New.
func (s *Session) Port() media.Port { return s.port }

// Done is closed when the session is closed.
func (s *Session) Done() <-chan struct{} { return s.done }

// Stats gives the counters.
func (s *Session) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Levels says how loud what the far end said and was told is. Sound that was only
// relayed is not measured.
func (s *Session) Levels() (in, out quality.Level) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.meterIn.Level(), s.meterOut.Level()
}

// Close ends the bridge and the clip, takes the session off the clock and waits
// for the clip to be closed. The port is not closed. Repeated calls do nothing
// but wait.
func (s *Session) Close() {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	player := s.player
	s.player = nil
	if first && player != nil {
		player.end()
	}
	for i, p := range s.beside {
		if p != nil {
			p.end()
			s.beside[i] = nil
		}
	}
	s.mu.Unlock()
	if first {
		s.Unbridge()
		s.sched.Remove(s)
		close(s.done)
	}
	s.clips.Wait()
}

// Tap shows sink every frame of one direction, silence included, from the next
// tick on, on the clock's goroutine. When remove returns, sink is not being
// called and will not be called again; it may be called more than once. After
// Close a tap sees nothing.
func (s *Session) Tap(d Direction, sink media.Sink) (remove func()) {
	return enrol(s, &s.taps, &tap{dir: d, sink: sink})
}

// Mix lets the far end hear src, beside a clip and a bridge, from the next tick
// on. When remove returns, src is not being read and will not be read again; it
// may be called more than once. After Close nothing is read.
func (s *Session) Mix(src media.Source) (remove func()) {
	return enrol(s, &s.voices, &voice{src})
}

// enrol adds x to one of s's lists, which are replaced and never changed, and
// has the path chosen anew; remove takes it out again.
func enrol[T any](s *Session, list *[]*T, x *T) (remove func()) {
	s.mu.Lock()
	*list = append(slices.Clone(*list), x)
	b := s.bridge
	s.mu.Unlock()
	b.update()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		*list = slices.DeleteFunc(slices.Clone(*list), func(o *T) bool { return o == x })
		s.recheck = 0
	}
}

// busy reports whether the session needs the decoded path.
func (s *Session) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.player != nil || len(s.taps) > 0 || len(s.voices) > 0 || s.muted || s.holding || s.loudness != unity || s.beside != [MaxBeside]*Playback{}
}

// transparent leaves the sound of both far ends as it is: there is a fax machine or a
// modem at this one. The caller holds s.mu.
func (s *Session) transparent() {
	s.fax, s.stats.Fax = nil, true
	for _, x := range [...]*Session{s, s.peer} {
		if x == nil {
			continue
		}
		if p, ok := x.port.(media.Transparent); ok {
			p.SetTransparent()
		}
	}
}

// recheckTicks is how often a bridge looks whether it can relay, or still can:
// every 100 ms.
const recheckTicks = 5

// Collect reads the port. It is called by the clock.
func (s *Session) Collect() {
	s.mu.Lock()
	s.stats.Ticks++
	s.heard = false
	if !s.relaying && !s.closed {
		s.heard = s.port.ReadFrame(&s.in)
		if !s.heard {
			s.stats.Empty++
		}
		if s.heard {
			s.meterIn.WriteFrame(&s.in)
			if s.fax != nil && s.fax.WriteFrame(&s.in) {
				s.transparent()
			}
		}
		if !s.heard || s.muted || s.holding {
			s.in.Clear()
		}
		if s.heard && s.seat != nil {
			s.seat.WriteFrame(&s.in)
		}
		s.show(In, &s.in)
	}
	var b *bridge
	if s.bridge != nil {
		if s.recheck--; s.recheck <= 0 {
			s.recheck, b = recheckTicks, s.bridge
		}
	}
	s.mu.Unlock()
	b.update() // without our lock: it takes those of both sides
}

// Deliver mixes and writes. It is called by the clock.
func (s *Session) Deliver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return
	case s.relaying:
		s.stats.Relayed++
		return
	}
	said := false
	if s.player != nil {
		if said = s.player.clip.ReadFrame(&s.out); !said {
			s.player.end()
			s.player = nil
			s.recheck = 0
		}
	}
	if s.peer != nil && s.peer.heard { // of the same clock, so of this tick
		said = s.say(&s.peer.in, said)
	}
	if s.seat != nil && s.seat.ReadFrame(&s.extra) {
		said = s.say(&s.extra, said)
	}
	for _, v := range s.voices {
		if v.src.ReadFrame(&s.extra) {
			said = s.say(&s.extra, said)
		}
	}
	if said && s.loudness != unity {
		s.out.Gain(s.loudness)
	}
	said = s.mixBeside(said)
	if said {
		s.meterOut.WriteFrame(&s.out)
	} else {
		s.out.Clear()
	}
	s.show(Out, &s.out)
	if said || !s.quiet {
		s.port.WriteFrame(&s.out)
	}
}

// say puts f into what the far end hears in this tick; said tells whether there
// is anything yet. The caller holds s.mu.
func (s *Session) say(f *media.Frame, said bool) bool {
	if said {
		s.out.Add(f)
	} else {
		s.out = *f
	}
	return true
}

// show gives a frame to the taps of its direction, a copy each, so that none can
// change what the others hear. The caller holds s.mu.
func (s *Session) show(d Direction, f *media.Frame) {
	for _, t := range s.taps {
		if t.dir == d {
			s.extra = *f
			t.sink.WriteFrame(&s.extra)
		}
	}
}
