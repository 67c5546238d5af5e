package gsm

import (
	"log/slog"
	"sync"

	"callbox/call/line/portleg"
	"callbox/hal"
	"callbox/media"
	"callbox/media/dtmf"
)

// sound moves sound between the modem and a leg, from start to stop.
type sound struct {
	pcm    hal.PCM
	log    *slog.Logger
	digits chan byte // keys that were heard, to the line's goroutine

	device portleg.Device

	running bool // owned by the line's goroutine
	quit    chan struct{}
	wg      sync.WaitGroup

	mu   sync.Mutex // guards what follows
	port *port      // nil: nobody listens
	keys bool       // keys that are heard are reported
	lost uint64     // keys that the line did not take in time
}

func newSound(pcm hal.PCM, log *slog.Logger) *sound {
	return &sound{pcm: pcm, log: log, digits: make(chan byte, digitRoom)}
}

// start runs the two goroutines; while they run it does nothing. It waits for
// those of the call before, which end within the device's buffer.
func (s *sound) start() {
	if s.running {
		return
	}
	s.wg.Wait()
	for len(s.digits) > 0 {
		<-s.digits
	}
	s.running, s.quit = true, make(chan struct{})
	quit := s.quit
	s.wg.Go(func() { s.hear(quit) })
	s.wg.Go(func() { s.speak(quit) })
}

// stop ends them; wait returns when they have ended.
func (s *sound) stop() {
	s.report(false)
	s.connect(nil)
	if s.running {
		s.running = false
		close(s.quit)
	}
}

func (s *sound) wait() { s.wg.Wait() }

// report says whether keys that are heard are told of: where the modem does not
// tell of them itself.
func (s *sound) report(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = on
}

// connect joins the modem to a leg's sound, nil to nothing.
func (s *sound) connect(p *port) {
	if p != nil {
		p.Start()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.port = p
}

// hear takes what the far end says. A key is silenced towards the leg from the
// moment it is recognised, so that it is not heard twice by those who get the digit.
func (s *sound) hear(quit <-chan struct{}) {
	var f media.Frame
	in := newFitter(inLevel)
	d := dtmf.NewDetector()
	for !portleg.Over(quit) {
		if _, err := s.pcm.Read(f[:]); !s.check(err, quit) {
			continue
		}
		key, heard := d.Write(&f)
		s.mu.Lock()
		p, report := s.port, s.keys
		s.mu.Unlock()
		if heard && report {
			select {
			case s.digits <- key:
			default:
				s.mu.Lock()
				s.lost++
				s.mu.Unlock()
			}
		}
		if d.Down() != 0 {
			f.Clear()
		}
		if p != nil {
			p.In.Push(in.fit(f[:], p.In.Len()))
		}
	}
}

// speak feeds the modem, with silence when there is nothing.
func (s *sound) speak(quit <-chan struct{}) {
	var f media.Frame
	var taken [media.FrameSamples + 1]int16
	out := newFitter(outLevel)
	for !portleg.Over(quit) {
		s.mu.Lock()
		p := s.port
		s.mu.Unlock()
		clear(f[:])
		if p != nil {
			want := out.want(p.Out.Len())
			if n := p.Out.Pull(taken[:want]); n == want {
				copy(f[:], out.stretch(taken[:n], media.FrameSamples))
			} else { // it runs dry
				copy(f[:], taken[:n])
			}
		}
		_, err := s.pcm.Write(f[:])
		s.check(err, quit)
	}
}

// check takes the result of an operation of the device.
func (s *sound) check(err error, quit <-chan struct{}) bool {
	return s.device.Check(err, retryTime, quit, func(err error) { s.log.Warn("sound of the modem has failed", "err", err) })
}
