package siptest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"callbox/media"
	"callbox/media/dtmf"
	"callbox/media/rtp"
	"callbox/sip"
)

// sound is the party's media.Ticker.
type sound struct {
	p        *party
	detector *dtmf.Detector
	in       media.Frame
}

// Collect implements media.Ticker: it listens, also for keys as tones where
// they cannot come as events.
func (s *sound) Collect() {
	a := s.p.a
	ok := s.p.current().ReadFrame(&s.in)
	if !ok {
		clear(s.in[:])
	}
	digit, pressed := s.detector.Write(&s.in)
	if pressed && a.cfg.Keys != Events {
		s.p.digit(digit)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if ok || len(s.p.heard) > 0 {
		s.p.heard = append(s.p.heard, s.in[:]...)
	}
}

// Deliver implements media.Ticker: it speaks.
func (s *sound) Deliver() {
	var out media.Frame
	a := s.p.a
	a.mu.Lock()
	mute := a.mute
	if n := copy(out[:], s.p.say); n > 0 {
		if s.p.say = s.p.say[n:]; len(s.p.say) == 0 {
			a.signal()
		}
	}
	if len(s.p.heard) > 0 {
		s.p.said = append(s.p.said, out[:]...)
	}
	a.mu.Unlock()
	if !mute {
		s.p.current().WriteFrame(&out)
	}
}

// current is the stream in use.
func (p *party) current() *rtp.Stream {
	p.a.mu.Lock()
	defer p.a.mu.Unlock()
	return p.stream
}

// recent is the present or the last party.
func (a *Endpoint) recent() *party {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

// Say implements linetest.Voice.
func (a *Endpoint) Say(samples []int16) {
	if p := a.recent(); p != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		p.say = append(p.say, samples...)
	}
}

// Heard implements linetest.Voice.
func (a *Endpoint) Heard() []int16 {
	p := a.recent()
	if p == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]int16(nil), p.heard...)
}

// Tape is what the endpoint said and heard in its present or last call, side by side
// from the first sound of the box on: a sample of one was at the same time as that of
// the other.
func (a *Endpoint) Tape() (said, heard []int16) {
	p := a.recent()
	if p == nil {
		return nil, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(p.said), slices.Clone(p.heard)
}

// Digits implements linetest.Voice.
func (a *Endpoint) Digits() string {
	p := a.recent()
	if p == nil {
		return ""
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return string(p.digits)
}

// Press implements linetest.Voice.
func (a *Endpoint) Press(ctx context.Context, digit byte) error {
	p, err := a.talking(ctx)
	if err != nil {
		return err
	}
	switch a.cfg.Keys {
	case Info:
		_, err := p.d.Tell(ctx, sip.Message{Method: "INFO", ContentType: "application/dtmf-relay",
			Body: fmt.Appendf(nil, "Signal=%c\r\nDuration=100\r\n", digit)})
		return err
	case Tones:
		return p.dial(ctx, digit)
	case Events:
	}
	return p.current().SendDigit(ctx, digit, 100*time.Millisecond)
}

// dial says a key as tones and waits until they were said.
func (p *party) dial(ctx context.Context, digit byte) error {
	clip, err := dtmf.New(string(digit), dtmf.Config{})
	if err != nil {
		return err
	}
	var f media.Frame
	for clip.ReadFrame(&f) {
		p.a.Say(f[:])
	}
	return p.a.wait(ctx, "press", func() bool { return len(p.say) == 0 })
}

// Tell sends a request within the present call.
func (a *Endpoint) Tell(ctx context.Context, m sip.Message) (sip.Response, error) {
	p, err := a.talking(ctx)
	if err != nil {
		return sip.Response{}, err
	}
	return p.d.Tell(ctx, m)
}

// Told are the requests within its calls that the endpoint got, besides keys.
func (a *Endpoint) Told() []sip.Message {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.told)
}
