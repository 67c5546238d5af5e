package fxs_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"callbox/call"
	"callbox/call/line/fxs"
	"callbox/call/line/linetest"
	"callbox/hal/sim"
	"callbox/hal/slic"
	"callbox/media/tone"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// port is a line on a simulated phone with the real driver.
type port struct {
	line  *fxs.Line
	phone *sim.Phone
}

func newPort(t *testing.T, c fxs.Config, f sim.Faults) port {
	t.Helper()
	far := sim.NewPhone("fxs1")
	far.SetFaults(f)
	d, err := slic.Open(slic.Pins{SHK: far.SHK(), RM: far.RM(), FR: far.FR(), PD: far.PD()}, slic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	c.ID = "fxs1"
	l, err := fxs.New(c, d, far.PCM())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		for _, v := range far.Violations() {
			t.Error("the chip complains:", v)
		}
		_ = far.Close()
	})
	<-time.After(200 * time.Millisecond) // the chip wakes up
	return port{l, far}
}

// farEnd is a simulated phone with a person at it, for the suite of lines.
type farEnd struct{ port }

func (f farEnd) WaitRing(ctx context.Context) error { return f.phone.WaitRing(ctx, 1) }

func (f farEnd) Answer(context.Context) error { f.phone.OffHook(); return nil }

func (f farEnd) Hangup(ctx context.Context) error { return f.putDown(ctx) }

func (f farEnd) Busy(ctx context.Context) error {
	f.phone.OffHook()
	return f.until(ctx, func(s call.LineStatus) bool { return s.Busy == 1 })
}

func (f farEnd) Call(ctx context.Context, number string) error {
	f.phone.Forget()
	f.phone.OffHook()
	if err := f.until(ctx, func(s call.LineStatus) bool { return s.Busy == 1 }); err != nil {
		return err
	}
	return f.phone.Press(ctx, number+"#")
}

// WaitEnd: an analogue phone is told nothing. Its user puts the receiver down.
func (f farEnd) WaitEnd(ctx context.Context) (call.Cause, error) {
	for f.phone.Ringing() {
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return call.Cause{}, err
		}
	}
	return call.Cause{}, f.putDown(ctx)
}

// putDown hangs up and waits until the box knows, if it still serves.
func (f farEnd) putDown(ctx context.Context) error {
	if !f.phone.IsOffHook() {
		return nil
	}
	f.phone.OnHook()
	return f.until(ctx, func(s call.LineStatus) bool { return s.Busy == 0 || !s.Ready })
}

func (f farEnd) until(ctx context.Context, ok func(call.LineStatus) bool) error {
	for !ok(f.line.Status()) {
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// voice is the person's mouth and ears.
type voice struct {
	t     *testing.T
	phone *sim.Phone
	ctx   context.Context
}

func (v voice) Say(samples []int16) {
	go func() { _ = v.phone.Say(v.ctx, samples) }()
	synctest.Wait() // queued before the next Say
}

func (v voice) Heard() []int16 { return v.phone.Heard() }

func (v voice) Press(ctx context.Context, d byte) error { return v.phone.Press(ctx, string(d)) }

func (v voice) Digits() string { return "" }

// TestSuite is the suite of all lines, with real drivers on a simulated phone.
func TestSuite(t *testing.T) {
	country, _ := tone.ByCountry("DE")
	for _, c := range linetest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.Run(t, func(t *testing.T) linetest.Fixture {
					p := newPort(t, fxs.Config{Number: "201", Country: "DE"}, sim.Faults{Bounce: 3 * time.Millisecond})
					ctx, cancel := context.WithCancel(t.Context())
					t.Cleanup(cancel)
					return linetest.Fixture{
						Line: p.line, Far: farEnd{p}, Voice: voice{t, p.phone, ctx},
						Number: "5550123", From: "201", RejectTones: country.Busy.Steps[0].Hz,
					}
				})
			})
		})
	}
}
