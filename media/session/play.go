package session

import (
	"sync"

	"callbox/media"
)

// Playback is a clip being played. Its methods may be called from any goroutine.
type Playback struct {
	s     *Session
	clip  media.Clip
	level int           // of one that plays beside
	ended chan struct{} // closed when the clip is no longer read
	once  sync.Once     // closes ended
	done  chan struct{} // closed when the clip is closed
}

// Play sends clip to the far end, from the next tick on, mixed with what comes
// over a bridge. A clip that still plays is replaced. The session closes the
// clip, on a goroutine of the playback, never on the clock's. On a closed
// session the clip is closed at once.
func (s *Session) Play(clip media.Clip) *Playback {
	p := &Playback{s: s, clip: clip, ended: make(chan struct{}), done: make(chan struct{})}
	s.mu.Lock()
	s.clips.Add(1)
	s.stats.Clips++
	old := s.player
	if s.closed {
		p.end()
	} else {
		s.player = p
	}
	if old != nil {
		old.end()
	}
	b := s.bridge
	s.mu.Unlock()
	go p.closeClip()
	b.update()
	return p
}

// closeClip is the playback's goroutine: it waits for the end and closes the clip.
func (p *Playback) closeClip() {
	defer p.s.clips.Done()
	<-p.ended
	if err := p.clip.Close(); err != nil {
		p.s.mu.Lock()
		p.s.stats.ClipFails++
		p.s.mu.Unlock()
	}
	close(p.done)
}

// end says that the clip is no longer read. The session's lock is held, so that
// no tick is reading it.
func (p *Playback) end() { p.once.Do(func() { close(p.ended) }) }

// Done is closed when the clip has ended, was stopped or was replaced, and has
// been closed.
func (p *Playback) Done() <-chan struct{} { return p.done }

// Stop ends the clip if it still plays and waits until it is closed.
func (p *Playback) Stop() {
	p.s.mu.Lock()
	if p.s.player == p {
		p.s.player = nil
		p.s.recheck = 0
	}
	for i := range p.s.beside {
		if p.s.beside[i] == p {
			p.s.beside[i], p.s.recheck = nil, 0
		}
	}
	p.end()
	p.s.mu.Unlock()
	<-p.done
}
