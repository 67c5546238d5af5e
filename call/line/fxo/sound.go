package fxo

import (
	"log/slog"
	"sync"

	"callbox/call/line/portleg"
	"callbox/hal"
	"callbox/media"
	"callbox/media/dtmf"
)

// heard is what the sound goroutine tells the line: a key, or a judgement.
type heard struct {
	digit byte
	judgement
}

// sound moves sound between the port's device and a leg, from start (the line is
// connected) to stop.
type sound struct {
	pcm    hal.PCM
	hybrid *portleg.Hybrid
	device portleg.Device
	super  *supervisor
	keys   keys
	log    *slog.Logger
	signs  chan heard // to the line's goroutine

	running bool // owned by the line's goroutine
	quit    chan struct{}
	wg      sync.WaitGroup

	mu   sync.Mutex // guards what follows
	port *port
	lost uint64 // keys that the line did not take in time
}

func newSound(pcm hal.PCM, h *portleg.Hybrid, s *supervisor, log *slog.Logger) *sound {
	return &sound{pcm: pcm, hybrid: h, super: s, log: log, signs: make(chan heard, signRoom)}
}

// start runs the two goroutines for a leg's sound. It waits for those of the call
// before, which have ended when the line is on-hook.
func (s *sound) start(p *port) {
	if s.running {
		return
	}
	s.wg.Wait()
	for len(s.signs) > 0 {
		<-s.signs
	}
	s.hybrid.Begin()
	s.device.Forget()
	s.keys.begin()
	p.Start()
	s.mu.Lock()
	s.port = p
	s.mu.Unlock()
	s.running, s.quit = true, make(chan struct{})
	quit := s.quit
	s.wg.Go(func() { s.hear(quit, p) })
	s.wg.Go(func() { s.speak(quit, p) })
}

// stop ends them; wait returns when they have ended, which they do when the line is
// on-hook.
func (s *sound) stop() {
	if s.running {
		s.running = false
		close(s.quit)
	}
}

func (s *sound) wait() { s.wg.Wait() }

// hear takes what the line says: keys and signs go to the line's goroutine, the rest
// to the leg. A key is silenced towards the leg from the moment it is recognised, so
// that it is not heard twice by those who get the digit.
func (s *sound) hear(quit <-chan struct{}, p *port) {
	var f media.Frame
	d := dtmf.NewDetector()
	for !portleg.Over(quit) {
		if _, err := s.pcm.Read(f[:]); !s.check(err, quit) {
			continue
		}
		if !p.clear.Load() {
			s.hybrid.Clean(&f)
		}
		if j := s.super.hears(&f); j.sign != noSign {
			s.tell(heard{judgement: j})
		}
		pressed, _ := d.Write(&f)
		if d.Down() != 0 {
			s.super.keyed()
		}
		for _, key := range s.keys.hears(pressed, s.super.voiced()) {
			s.tell(heard{digit: key})
		}
		switch {
		case d.Down() != 0:
			f.Clear()
		case p.mute.Load() > 0:
			p.mute.Add(-1)
			f.Clear()
		}
		p.FromDevice.Push(&f)
	}
}

func (s *sound) tell(h heard) {
	select {
	case s.signs <- h:
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.lost++
	}
}

// speak feeds the line. The device's pace is that of what it has said.
func (s *sound) speak(quit <-chan struct{}, p *port) {
	var f media.Frame
	d := dtmf.NewDetector()
	for !portleg.Over(quit) {
		n := p.ToDevice.Pull(&f)
		clear(f[n:])
		if p.says != nil {
			p.says.ReadFrame(&f)
		}
		s.hybrid.Told(&f)
		s.super.speaks(&f)
		d.Write(&f)
		s.keys.says(d.Down())
		_, err := s.pcm.Write(f[:])
		s.check(err, quit)
	}
}

// check takes the result of an operation of the device.
func (s *sound) check(err error, quit <-chan struct{}) bool {
	return s.device.Check(err, retryTime, quit, func(err error) { s.log.Debug("sound of the line has stopped", "err", err) })
}
