package session

import (
	"errors"
	"sync"

	"callbox/media"
)

// Errors of [Bridge].
var (
	// ErrClosed means that one of the sessions is closed.
	ErrClosed = errors.New("session is closed")
	// ErrSelf means that a session was to be bridged with itself.
	ErrSelf = errors.New("a session cannot be bridged with itself")
	// ErrClocks means that the sessions are on different clocks.
	ErrClocks = errors.New("sessions are on different clocks")
	// ErrBridged means that another goroutine bridged one of them meanwhile.
	ErrBridged = errors.New("session was bridged by someone else")
)

// bridge connects two sessions. Its lock is taken before those of the sessions,
// and theirs never together.
type bridge struct {
	a, b *Session

	mu       sync.Mutex // guards what follows and the choice of path
	dead     bool
	relaying bool
	needed   bool          // somebody besides the two far ends hears or says something
	changed  chan struct{} // closed when one of the above changes; nil: nobody waits for it
}

// Way is how a bridge carries the sound of its two far ends.
type Way struct {
	// Needed says that somebody in the box hears it or adds to it, or that there is
	// no bridge.
	Needed bool
	// Relaying says that it passes undecoded.
	Relaying bool
	// Changed is closed when this is no longer so; nil without a bridge.
	Changed <-chan struct{}
}

// Way gives that of the session's bridge.
func (s *Session) Way() Way {
	s.mu.Lock()
	br := s.bridge
	s.mu.Unlock()
	if br == nil {
		return Way{Needed: true}
	}
	br.mu.Lock()
	defer br.mu.Unlock()
	if br.dead {
		return Way{Needed: true}
	}
	if br.changed == nil {
		br.changed = make(chan struct{})
	}
	return Way{Needed: br.needed, Relaying: br.relaying, Changed: br.changed}
}

// news tells who waits for a change. The caller holds br.mu.
func (br *bridge) news() {
	if br.changed != nil {
		close(br.changed)
		br.changed = nil
	}
}

// Bridge connects a and b: each hears what the other's far end says. Existing
// bridges of either are ended first. The path, relayed or decoded, is chosen
// and changed by itself, see the package comment.
func Bridge(a, b *Session) error {
	switch {
	case a == b:
		return ErrSelf
	case a.sched != b.sched:
		return ErrClocks
	}
	a.Unbridge()
	b.Unbridge()
	br := &bridge{a: a, b: b}
	if err := a.join(br, b); err != nil {
		return err
	}
	if err := b.join(br, a); err != nil {
		a.leave(br)
		return err
	}
	br.mu.Lock()
	dead := br.dead // ended before b had joined
	br.mu.Unlock()
	if dead {
		a.leave(br)
		b.leave(br)
		return ErrBridged
	}
	br.update()
	return nil
}

// join enters a bridge.
func (s *Session) join(br *bridge, peer *Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.free(); err != nil {
		return err
	}
	s.bridge, s.peer, s.recheck = br, peer, recheckTicks
	return nil
}

// free says why s can be connected with nothing: ErrClosed or ErrBridged. The
// caller holds s.mu.
func (s *Session) free() error {
	switch {
	case s.closed:
		return ErrClosed
	case s.bridge != nil || s.seat != nil:
		return ErrBridged
	}
	return nil
}

// leave ends s's part in a bridge.
func (s *Session) leave(br *bridge) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bridge == br {
		s.bridge, s.peer, s.relaying = nil, nil, false
	}
}

// Enter takes a place in a room (media/mix has one) instead of a bridge, which is
// ended: what the far end says is written to seat in the phase in which input is
// collected, and what it hears is read from seat when output is delivered, mixed
// with a clip that plays. A session in a room is on the decoded path. The error
// is ErrClosed or ErrBridged.
func (s *Session) Enter(seat media.Port) error {
	s.Unbridge()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.free(); err != nil {
		return err
	}
	s.seat = seat
	return nil
}

// Leave gives up the place seat, if that is where the session is. When it
// returns, the session neither reads nor writes it.
func (s *Session) Leave(seat media.Port) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seat == seat {
		s.seat = nil
	}
}

// Unbridge ends the session's bridge, for both sides, or its place in a room.
// Without either it does nothing.
func (s *Session) Unbridge() {
	s.mu.Lock()
	br := s.bridge
	s.seat = nil
	s.mu.Unlock()
	if br == nil {
		return
	}
	br.mu.Lock()
	defer br.mu.Unlock()
	if br.dead {
		return
	}
	br.dead = true
	br.news()
	br.stopRelay()
	br.a.leave(br)
	br.b.leave(br)
}

// Relaying reports whether the session's bridge is on the relay path now.
func (s *Session) Relaying() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.relaying
}

// Bridged reports whether the session has a bridge or a place in a room.
func (s *Session) Bridged() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bridge != nil || s.seat != nil
}

// update chooses the path. It is called when a clip or tap appears and every
// 100 ms, and may be called on the clock's goroutine; no session lock may be
// held. A nil bridge is none.
func (br *bridge) update() {
	if br == nil {
		return
	}
	br.mu.Lock()
	defer br.mu.Unlock()
	if br.dead {
		return
	}
	needed := br.a.busy() || br.b.busy()
	if needed != br.needed {
		br.needed = needed
		br.news()
	}
	if needed || !br.startRelay() {
		br.stopRelay()
	}
}

// startRelay starts the relay both ways, or neither, and reports which. If it
// runs, it only checks whether the two still agree. The caller holds br.mu.
func (br *bridge) startRelay() bool {
	ra, okA := br.a.port.(media.Relayer)
	rb, okB := br.b.port.(media.Relayer)
	if !okA || !okB {
		return false
	}
	if !ra.RelayTo(br.b.port) {
		return false
	}
	if !rb.RelayTo(br.a.port) {
		ra.StopRelay()
		return false
	}
	br.path(true)
	return true
}

// stopRelay returns to the decoded path. The caller holds br.mu.
func (br *bridge) stopRelay() {
	if !br.relaying {
		return
	}
	for _, s := range []*Session{br.a, br.b} {
		if r, ok := s.port.(media.Relayer); ok {
			r.StopRelay()
		}
	}
	br.path(false)
}

// path tells both sessions which path is taken. The caller holds br.mu.
func (br *bridge) path(relay bool) {
	if br.relaying == relay {
		return
	}
	br.relaying = relay
	br.news()
	br.a.setRelaying(relay)
	br.b.setRelaying(relay)
}

func (s *Session) setRelaying(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.relaying != on {
		s.relaying = on
		s.stats.Switches++
	}
}
