package cell

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"callbox/hal"
	"callbox/hal/sim"
)

// Errors of what a subscriber is told to do.
var (
	ErrNoCall = errors.New("the subscriber has no call")
	ErrInCall = errors.New("the subscriber is in a call already")
	ErrFull   = errors.New("the subscriber has too much to say")
)

// Limits of what a subscriber remembers, in samples.
const (
	maxHeard = 5 * 60 * hal.SampleRate
	maxSay   = 5 * 60 * hal.SampleRate
)

var _ sim.Person = (*Subscriber)(nil)

// Subscriber is a person with a telephone somewhere in the network, whom every
// number reaches that is no modem's. Methods may be called from any goroutine.
type Subscriber struct {
	number string
	modem  *Modem // whom it calls

	mu     sync.Mutex
	talk   *talk
	ours   bool // we called
	busy   bool
	refuse Release // nonzero: calls are refused with it
	said   int64
	say    []int16
	heard  []int16
	digits []byte
	texts  []string // text messages it was sent
	pieces []submit // parts of texts
	sent   int      // texts sent
	last   Release
	change chan struct{} // closed and replaced when anything changes
}

func newSubscriber(number string, m *Modem) *Subscriber {
	return &Subscriber{number: number, modem: m, change: make(chan struct{})}
}

// changed wakes who waits; s.mu is held.
func (s *Subscriber) changed() {
	close(s.change)
	s.change = make(chan struct{})
}

// await waits until ok, which is called with s.mu held.
func (s *Subscriber) await(ctx context.Context, ok func() bool) error {
	for {
		s.mu.Lock()
		done, change := ok(), s.change
		s.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// WaitRing waits until a call rings at the subscriber.
func (s *Subscriber) WaitRing(ctx context.Context) error {
	err := s.await(ctx, func() bool { return s.talk != nil && !s.ours && !s.talk.isUp() })
	if err != nil {
		return fmt.Errorf("wait for a call: %w", err)
	}
	return nil
}

// WaitEnd waits until the subscriber has no call, and gives the network's reason.
func (s *Subscriber) WaitEnd(ctx context.Context) (Release, error) {
	if err := s.await(ctx, func() bool { return s.talk == nil }); err != nil {
		return 0, fmt.Errorf("wait for the end of the call: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, nil
}

// SetBusy makes calls to the subscriber fail as busy, or ends that.
func (s *Subscriber) SetBusy(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = on
}

// Refuse makes calls to the subscriber fail for a reason; 0 ends that.
func (s *Subscriber) Refuse(why Release) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = why
}

// PickUp implements [sim.Person]: it waits for a call and answers it.
func (s *Subscriber) PickUp(ctx context.Context) error {
	if err := s.WaitRing(ctx); err != nil {
		return err
	}
	return s.Answer()
}

// Answer answers the call that rings.
func (s *Subscriber) Answer() error {
	s.mu.Lock()
	t := s.talk
	ok := t != nil && !s.ours
	s.mu.Unlock()
	if !ok {
		return ErrNoCall
	}
	t.answer()
	return nil
}

// HangUp implements [sim.Person]. Without a call it does nothing; a call that
// rings is refused.
func (s *Subscriber) HangUp(context.Context) error {
	s.mu.Lock()
	t, ours := s.talk, s.ours
	s.talk, s.busy, s.last = nil, false, Cleared
	s.changed()
	s.mu.Unlock()
	if t != nil {
		why := Cleared
		if !ours && !t.isUp() {
			why = Rejected
		}
		t.release(s, why)
	}
	return nil
}

// Call implements [sim.Person]: it calls the modem. The number is that of the
// modem, whatever it is.
func (s *Subscriber) Call(context.Context, string) error {
	s.mu.Lock()
	if s.talk != nil {
		s.mu.Unlock()
		return ErrInCall
	}
	t := &talk{a: s, b: s.modem}
	s.begin(t, true)
	s.mu.Unlock()
	s.modem.offered(t, s.number)
	return nil
}

// begin starts a call; s.mu is held.
func (s *Subscriber) begin(t *talk, ours bool) {
	s.talk, s.ours, s.last = t, ours, 0
	s.heard, s.digits, s.say = nil, nil, nil
	s.changed()
}

// Press implements [sim.Person].
func (s *Subscriber) Press(ctx context.Context, keys string) error {
	for _, k := range keys {
		samples, err := sim.Keys(string(k), 100*time.Millisecond, 100*time.Millisecond)
		if err != nil {
			return err
		}
		s.mu.Lock()
		t := s.talk
		s.mu.Unlock()
		if t == nil {
			return ErrNoCall
		}
		t.other(s).digit(t, byte(k))
		if err := s.Say(ctx, samples); err != nil {
			return err
		}
	}
	return nil
}

// Queue has samples said from now on and does not wait.
func (s *Subscriber) Queue(samples []int16) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.talk == nil {
		return ErrNoCall
	}
	if len(s.say)+len(samples) > maxSay {
		return ErrFull
	}
	s.say = append(s.say, samples...)
	return nil
}

// Say implements [sim.Person].
func (s *Subscriber) Say(ctx context.Context, samples []int16) error {
	if err := s.Queue(samples); err != nil {
		return err
	}
	s.mu.Lock()
	t, until := s.talk, s.said+int64(len(s.say))
	s.mu.Unlock()
	over := false
	err := s.await(ctx, func() bool { over = s.talk != t; return over || s.said >= until })
	if err == nil && over {
		err = ErrNoCall
	}
	return err
}

// Heard implements [sim.Person].
func (s *Subscriber) Heard() []int16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]int16(nil), s.heard...)
}

// Digits are the keys that the box has sent in the present or last call.
func (s *Subscriber) Digits() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.digits)
}

// offered implements end.
func (s *Subscriber) offered(t *talk, _ string) {
	s.mu.Lock()
	why := s.refuse
	if why == 0 && (s.busy || s.talk != nil) {
		why = UserBusy
	}
	if why == 0 {
		s.begin(t, false)
	}
	s.mu.Unlock()
	if why != 0 {
		t.release(s, why)
		return
	}
	t.a.alerting(t)
}

func (s *Subscriber) alerting(*talk) {}

func (s *Subscriber) answered(*talk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed()
}

func (s *Subscriber) released(t *talk, why Release) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.talk == t {
		s.talk, s.last = nil, why
		s.changed()
	}
}

func (s *Subscriber) digit(t *talk, d byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.talk == t {
		s.digits = append(s.digits, d)
	}
}

// voice gives what the subscriber says, silence until the call is up.
func (s *Subscriber) voice(t *talk, p []int16) {
	clear(p)
	up := t.isUp()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.talk != t || !up {
		return
	}
	if n := copy(p, s.say); n > 0 {
		s.say = s.say[n:]
		s.said += int64(n)
		s.changed()
	}
}

// hear takes what the modem says.
func (s *Subscriber) hear(t *talk, p []int16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.talk == t {
		s.heard = append(s.heard, p...)
		if n := len(s.heard) - maxHeard; n > hal.SampleRate { // not at each frame: it moves all of it
			s.heard = s.heard[:copy(s.heard, s.heard[n:])]
		}
	}
}
