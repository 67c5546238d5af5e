package mix

import (
	"slices"
	"sync"

	"callbox/media"
)

// Talking begins with talkFrames frames in a row that are louder than talkPower
// and ends with quietFrames that are not.
const (
	talkFrames  = 4                              // 80 ms: no click, no plosive
	quietFrames = 50                             // 1 s
	talkPower   = 260 * 260 * media.FrameSamples // sum of squares of a frame at −42 dBov
)

// Room mixes. Collect and Deliver belong to the media clock, as do the methods
// of its ports; all others may be called from any goroutine. It needs no end:
// whoever put it on the clock takes it off.
type Room struct {
	talk chan struct{} // holds a token when somebody began or stopped talking

	mu      sync.Mutex // guards what follows and the fields of the seats
	seats   []*Seat
	inside  []*insidePort
	limited int       // seats that speak to certain seats only
	mixed   bool      // sum is that of this tick
	sum     media.Sum // of everybody who speaks to all
	all     media.Frame
	heard   bool // sum holds something
}

var _ media.Ticker = (*Room)(nil)

// New makes an empty room, to be put on the media clock.
func New() *Room { return &Room{talk: make(chan struct{}, 1)} }

// Talk receives after any seat's Talking has changed. Several changes may come
// as one.
func (r *Room) Talk() <-chan struct{} { return r.talk }

// Collect begins a tick.
func (r *Room) Collect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mixed = false
}

// Deliver completes the mix of a tick for those who hear it in the next.
func (r *Room) Deliver() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mix()
	if len(r.inside) > 0 {
		r.sum.Mix(&r.all)
	}
}

// mix adds up what was said in this tick, once. The first of all Delivers does
// it, whosever that is: everybody has collected by then. The caller holds r.mu.
func (r *Room) mix() {
	if r.mixed {
		return
	}
	r.mixed, r.heard = true, false
	r.sum.Reset()
	talk := false
	for _, s := range r.seats {
		said := s.said && !s.muted && !s.held
		s.said = false
		if s.listen(said) {
			talk = true
		}
		s.summed, s.whispered = said && s.to == nil, said && s.to != nil
		if s.summed {
			r.sum.Add(&s.in)
			r.heard = true
		}
	}
	for _, p := range r.inside {
		if p.said {
			p.said = false
			r.sum.Add(&p.out)
			r.heard = true
		}
	}
	if talk {
		select {
		case r.talk <- struct{}{}:
		default: // the last change was not looked at yet
		}
	}
}

// Seat gives a new party its place. It must be left.
func (r *Room) Seat() *Seat {
	s := &Seat{room: r}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seats = append(slices.Clip(r.seats), s)
	return s
}

// Seat is one party's place: a port whose other side is the room. It is written
// in Collect and read in Deliver.
type Seat struct {
	room *Room

	// Guarded by the room's lock.
	in        media.Frame // what was said in this tick
	said      bool        // in is of this tick and not mixed yet
	summed    bool        // in is part of the room's sum
	whispered bool        // in is for some only
	muted     bool
	held      bool
	to        []*Seat // who hears it; nil: everybody
	run       int     // frames in a row that contradict talking
	talking   bool
}

var _ media.Port = (*Seat)(nil)

// WriteFrame takes what the party says.
func (s *Seat) WriteFrame(f *media.Frame) {
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	s.in, s.said = *f, true
}

// ReadFrame gives what the party hears: everybody but itself. False means
// nothing: the party is held, or nobody said anything.
func (s *Seat) ReadFrame(f *media.Frame) bool {
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mix()
	if s.held {
		return false
	}
	heard := r.heard
	if s.summed {
		r.sum.Without(&s.in, f)
	} else if heard {
		r.sum.Mix(f)
	}
	if r.limited > 0 {
		heard = s.whispers(f, heard)
	}
	return heard
}

// whispers makes f anew when somebody speaks to s in particular. The caller
// holds the room's lock.
func (s *Seat) whispers(f *media.Frame, heard bool) bool {
	r := s.room
	for _, w := range r.seats {
		if !w.whispered || w == s || !slices.Contains(w.to, s) {
			continue
		}
		if heard {
			f.Add(&w.in)
		} else {
			*f, heard = w.in, true
		}
	}
	return heard
}

// listen follows whether the party talks, and reports a change. The caller holds
// the room's lock.
func (s *Seat) listen(said bool) (changed bool) {
	loud := false
	if said {
		var sum int64
		for _, v := range s.in {
			sum += int64(v) * int64(v)
		}
		loud = sum > talkPower
	}
	if loud == s.talking {
		s.run = 0
		return false
	}
	s.run++
	if s.talking && s.run < quietFrames || !s.talking && s.run < talkFrames {
		return false
	}
	s.talking, s.run = loud, 0
	return true
}

// Leave takes the seat out of the room. Repeated calls do nothing.
func (s *Seat) Leave() {
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.seats, s)
	if i < 0 {
		return
	}
	if s.to != nil {
		r.limited--
	}
	s.summed, s.whispered = false, false
	r.seats = slices.Concat(r.seats[:i], r.seats[i+1:])
	for _, o := range r.seats {
		if j := slices.Index(o.to, s); j >= 0 {
			o.to = append(append([]*Seat{}, o.to[:j]...), o.to[j+1:]...) // never nil: that is everybody
		}
	}
}

// Mute says whether nobody hears the party.
func (s *Seat) Mute(on bool) {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	s.muted = on
}

// Hold says whether the party is apart: nobody hears it, and it hears nobody.
func (s *Seat) Hold(on bool) {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	s.held = on
}

// SpeakTo makes the party heard by certain others only, which may be none; nil is
// everybody. What the party hears does not change. Recordings, and whoever else
// is inside, do not hear it then.
func (s *Seat) SpeakTo(to []*Seat) {
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.to != nil {
		r.limited--
	}
	if s.to = nil; to != nil {
		s.to = append([]*Seat{}, to...)
		r.limited++
	}
}

// Talking reports whether the party is being heard to talk.
func (s *Seat) Talking() bool {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	return s.talking
}

// Inside gives a port for a session of the room's own: what is written to it,
// everybody hears in the next tick; what is read from it is the whole mix of the
// last tick, its own part included.
func (r *Room) Inside() media.Port {
	p := &insidePort{room: r}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inside = append(slices.Clip(r.inside), p)
	return p
}

// insidePort is read in Collect and written in Deliver, like any leg's.
type insidePort struct {
	room *Room

	// Guarded by the room's lock.
	out  media.Frame
	said bool
}

// ReadFrame gives the whole mix.
func (p *insidePort) ReadFrame(f *media.Frame) bool {
	r := p.room
	r.mu.Lock()
	defer r.mu.Unlock()
	*f = r.all
	return true
}

// WriteFrame speaks to everybody.
func (p *insidePort) WriteFrame(f *media.Frame) {
	r := p.room
	r.mu.Lock()
	defer r.mu.Unlock()
	p.out, p.said = *f, true
}
