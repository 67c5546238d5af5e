package gsm_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/line/gsm"
	"callbox/hal"
)

// slow is a modem whose Hangup returns when it is let go, so that events and requests
// wait for the line together.
type slow struct {
	events chan hal.ModemEvent
	hung   chan struct{}
	calls  int // made and not ended; the line's goroutine's
}

func (s *slow) Events() <-chan hal.ModemEvent { return s.events }
func (s *slow) Dial(context.Context, string, bool) error {
	s.calls++
	return nil
}
func (s *slow) Answer(context.Context) error          { return nil }
func (s *slow) Hangup()                               { <-s.hung }
func (s *slow) SendDigit(context.Context, byte) error { return nil }
func (s *slow) State() hal.ModemState                 { return hal.ModemState{Health: hal.Health{OK: true}} }

// TestDialAtEnd dials when the end of the call before is already told, but the line may
// take either first: there is never a call of the modem without a leg.
func TestDialAtEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 30 {
			m := &slow{events: make(chan hal.ModemEvent, 8), hung: make(chan struct{})}
			p := newSilence()
			line, err := gsm.New(gsm.Config{ID: "gsm1"}, m, p)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- line.Serve(ctx, make(legs, 1)) }()
			synctest.Wait()
			first, err := line.Dial(t.Context(), call.Dial{To: "+15550123"})
			if err != nil {
				t.Fatal(err)
			}
			first.Hangup(call.NormalClearing(call.Box))
			synctest.Wait() // the line is in Hangup
			m.calls--
			m.events <- hal.ModemEvent{Type: hal.ModemReleased, Release: hal.Release{Q850: 16, By: hal.ByBox}}
			second := make(chan error, 1)
			go func() {
				_, err := line.Dial(t.Context(), call.Dial{To: "+15550124"})
				second <- err
			}()
			synctest.Wait()
			close(m.hung)
			if err := <-second; err != nil || m.calls != 1 {
				t.Errorf("the second call: %v; the modem has %d calls", err, m.calls)
			}
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
			p.Close()
		}
	})
}

// silence is the sound of a modem that says nothing.
type silence struct{ done chan struct{} }

func newSilence() *silence { return &silence{make(chan struct{})} }

func (s *silence) pass(n int) (int, error) {
	select {
	case <-time.After(time.Duration(n) * time.Second / hal.SampleRate):
		return n, nil
	case <-s.done:
		return 0, hal.ErrClosed
	}
}

func (s *silence) Read(p []int16) (int, error)  { return s.pass(len(p)) }
func (s *silence) Write(p []int16) (int, error) { return s.pass(len(p)) }
func (s *silence) Stats() hal.PCMStats          { return hal.PCMStats{} }
func (s *silence) Close() error                 { close(s.done); return nil }
