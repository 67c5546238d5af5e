package fxs

import (
	"log/slog"
	"sync"

	"callbox/call/line/portleg"
	"callbox/hal"
	"callbox/media"
	"callbox/media/dtmf"
	"callbox/media/tone"
)

// sound moves sound between the port's device and either a tone or a leg, from
// start (the phone was picked up) to stop.
type sound struct {
	pcm    hal.PCM
	hybrid *portleg.Hybrid
	device portleg.Device
	log    *slog.Logger
	digits chan byte     // keys that were heard, to the line's goroutine
	pen    chan struct{} // held by the one goroutine that writes to pcm

	running bool // owned by the line's goroutine
	quit    chan struct{}
	wg      sync.WaitGroup

	mu   sync.Mutex      // guards what follows
	tone *tone.Generator // in use by the writer; replaced, never changed
	port *port           // nil: nobody listens
	also *port           // a second one, in a conference of three; nil: none
	hold bool            // what the phone says is not for the legs
	once *clip           // in use by the writer, before the tone; nil: none
	lost uint64          // keys that the line did not take in time
}

func newSound(pcm hal.PCM, h *portleg.Hybrid, log *slog.Logger) *sound {
	return &sound{pcm: pcm, hybrid: h, log: log, digits: make(chan byte, digitRoom), pen: make(chan struct{}, 1)}
}

// clip is a sound that ends. over is closed when its last frame was given to the
// device, or it was cut off.
type clip struct {
	media.Source
	over chan struct{}
	end  sync.Once
}

func (c *clip) close() {
	if c != nil {
		c.end.Do(func() { close(c.over) })
	}
}

// tell plays a sound to the phone, on-hook or off, before anything else. over is
// closed when its last frame was given to the device, or when it was cut off by
// another one, by hush, start or stop.
func (s *sound) tell(src media.Source) (over <-chan struct{}) {
	c := &clip{Source: src, over: make(chan struct{})}
	s.mu.Lock()
	s.once.close()
	alone := s.once == nil && !s.running
	s.once = c
	s.mu.Unlock()
	if alone {
		s.wg.Go(s.alone)
	}
	return c.over
}

// telling reports whether something is being told.
func (s *sound) telling() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.once != nil
}

// hush cuts off what is told.
func (s *sound) hush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.once.close()
	s.once = nil
}

// alone tells a phone that is on-hook, which neither listens otherwise nor speaks.
func (s *sound) alone() {
	s.pen <- struct{}{} // another one may be about to end
	defer func() { <-s.pen }()
	var f media.Frame
	for {
		s.mu.Lock()
		c := s.once
		s.mu.Unlock()
		if c == nil {
			return
		}
		if s.next(c, &f) {
			if _, err := s.pcm.Write(f[:]); !s.check(err, c.over) {
				c.close()
			}
		}
	}
}

// next gives the next frame of c, or takes c away when it is over.
func (s *sound) next(c *clip, f *media.Frame) bool {
	select {
	case <-c.over:
	default:
		if c.ReadFrame(f) {
			return true
		}
		c.close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.once == c {
		s.once = nil
	}
	return false
}

// start runs the two goroutines; while they run it does nothing. It waits for
// those of the call before, which end within the device's buffer.
func (s *sound) start() {
	if s.running {
		return
	}
	s.hush()
	s.wg.Wait()
	for len(s.digits) > 0 {
		<-s.digits
	}
	s.hybrid.Begin()
	s.running, s.quit = true, make(chan struct{})
	quit := s.quit
	s.wg.Go(func() { s.hear(quit) })
	s.wg.Go(func() { s.speak(quit) })
}

// stop ends them; wait returns when they have ended.
func (s *sound) stop() {
	s.play(tone.Tone{}, 0)
	s.hush()
	s.connect(nil)
	if s.running {
		s.running = false
		close(s.quit)
	}
}

func (s *sound) wait() { s.wg.Wait() }

// play lets the phone hear a tone, before anything else; the zero tone ends it.
func (s *sound) play(t tone.Tone, level float64) {
	var g *tone.Generator
	if !t.IsZero() {
		g = tone.New(t, level)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tone = g
}

// connect joins the phone to a leg's sound, nil to nothing.
func (s *sound) connect(p *port) {
	if p != nil {
		p.Start()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.port, s.also = p, nil
}

// join joins the phone and two legs: each hears the two others.
func (s *sound) join(p, q *port) {
	p.Start()
	q.Start()
	for _, r := range []*media.Ring{p.other, q.other} {
		r.Reset()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.port, s.also = p, q
}

// mute keeps what the phone says from the legs.
func (s *sound) mute(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold = on
}

// hear takes the microphone: keys go to the line, the rest to the leg. A key is
// silenced towards the leg from the moment it is recognised, so that it is not
// heard twice by those who get the digit.
func (s *sound) hear(quit <-chan struct{}) {
	var f media.Frame
	d := dtmf.NewDetector()
	for !portleg.Over(quit) {
		if _, err := s.pcm.Read(f[:]); !s.check(err, quit) {
			continue
		}
		p, q, mute := s.listeners()
		if p == nil || !p.clear.Load() {
			s.hybrid.Clean(&f)
		}
		if key, ok := d.Write(&f); ok {
			select {
			case s.digits <- key:
			default:
				s.mu.Lock()
				s.lost++
				s.mu.Unlock()
			}
		}
		if d.Down() != 0 || mute {
			f.Clear()
		}
		if p != nil {
			p.hears(&f, q != nil)
		}
		if q != nil {
			q.hears(&f, true)
		}
	}
}

func (s *sound) listeners() (p, q *port, mute bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.port, s.also, s.hold
}

// speak feeds the earpiece.
func (s *sound) speak(quit <-chan struct{}) {
	s.pen <- struct{}{}
	defer func() { <-s.pen }()
	var f, g media.Frame
	for !portleg.Over(quit) {
		s.mu.Lock()
		t, p, q, c := s.tone, s.port, s.also, s.once
		s.mu.Unlock()
		n := 0
		switch {
		case c != nil && s.next(c, &f):
			n = len(f)
		case t != nil:
			if t.ReadFrame(&f) {
				n = len(f)
			}
		case p != nil:
			n = p.ToDevice.Pull(&f)
		}
		clear(f[n:])
		if c == nil && t == nil && q != nil { // a conference of three
			clear(g[q.ToDevice.Pull(&g):])
			p.other.Push(g[:])
			q.other.Push(f[:])
			f.Add(&g)
		}
		s.hybrid.Told(&f)
		_, err := s.pcm.Write(f[:])
		s.check(err, quit)
	}
}

// check takes the result of an operation of the device.
func (s *sound) check(err error, quit <-chan struct{}) bool {
	return s.device.Check(err, retryTime, quit, func(err error) { s.log.Warn("sound of the port has failed", "err", err) })
}
