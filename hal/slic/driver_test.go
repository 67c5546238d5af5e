package slic_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/hal"
	"callbox/hal/haltest"
	"callbox/hal/sim"
	"callbox/hal/slic"

	"go.uber.org/goleak"
)

// open gives a driver with a simulated phone; at the end the chip must be safe,
// asleep and never have been mistreated.
func open(t *testing.T, c slic.Config, f sim.Faults) (*slic.Driver, *sim.Phone) {
	t.Helper()
	far := sim.NewPhone("fxs1")
	far.SetFaults(f)
	d, err := slic.Open(slic.Pins{SHK: far.SHK(), RM: far.RM(), FR: far.FR(), PD: far.PD()}, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if safe, asleep := far.Rest(); f.PinError == nil && (!safe || !asleep) {
			t.Errorf("after Close: safe %v, asleep %v", safe, asleep)
		}
		for _, v := range far.Violations() {
			t.Error("the chip complains:", v)
		}
		if _, ok := <-d.Events(); ok {
			t.Error("events open after Close")
		}
		_ = far.Close()
	})
	if !f.StuckOffHook {
		<-time.After(100 * time.Millisecond) // the chip wakes up
	}
	return d, far
}

func TestPhone(t *testing.T) {
	for name, f := range map[string]sim.Faults{
		"good line":   {},
		"bounce":      {Bounce: 6 * time.Millisecond},
		"ring spikes": {RingSpikes: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			haltest.TestPhone(t, synctest.Test, func(t *testing.T) (hal.Phone, haltest.FarEnd) {
				return open(t, slic.Config{}, f)
			})
		})
	}
}

// bubble runs f with a port in a synctest bubble.
func bubble(t *testing.T, c slic.Config, f sim.Faults, run func(t *testing.T, d *slic.Driver, far *sim.Phone)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, far := open(t, c, f)
		run(t, d, far)
	})
}

// next takes the next event of the phone within d; what the port tells of its own
// ringing is passed over.
func next(t *testing.T, p hal.Phone, d time.Duration) hal.PhoneEvent {
	t.Helper()
	over := time.After(d)
	for {
		select {
		case e, ok := <-p.Events():
			if !ok {
				t.Fatal("events closed")
			}
			if e.Type != hal.RingOn && e.Type != hal.RingOff {
				return e
			}
		case <-over:
			t.Fatalf("no event within %v", d)
		}
	}
}

func quiet(t *testing.T, p hal.Phone, d time.Duration) {
	t.Helper()
	over := time.After(d)
	for {
		select {
		case e := <-p.Events():
			if e.Type != hal.RingOn && e.Type != hal.RingOff {
				t.Fatalf("unexpected event %+v", e)
			}
		case <-over:
			return
		}
	}
}

var de = hal.Cadence{Steps: []time.Duration{time.Second, 4 * time.Second}, Hz: 25}

func TestRingIsHeardAsMade(t *testing.T) {
	bubble(t, slic.Config{}, sim.Faults{RingSpikes: true}, func(t *testing.T, d *slic.Driver, far *sim.Phone) {
		uk := hal.Cadence{Steps: []time.Duration{400 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 2 * time.Second}, Hz: 25}
		if err := d.Ring(uk); err != nil {
			t.Fatal(err)
		}
		<-time.After(30 * time.Second)
		if err := d.StopRing(); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		bursts := far.Bursts()
		if len(bursts) != 21 && len(bursts) != 20 {
			t.Errorf("heard %d bursts in 30 s, want 20", len(bursts))
		}
		for i, b := range bursts[:20] {
			if b.Length < 320*time.Millisecond || b.Length > 420*time.Millisecond || b.Hz < 23 || b.Hz > 27 {
				t.Errorf("burst %d: %v at %.1f Hz", i, b.Length, b.Hz)
			}
		}
		if s := d.Stats(); s.Bursts < 20 || s.Failures != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestOffHookAtStart(t *testing.T) {
	bubble(t, slic.Config{}, sim.Faults{StuckOffHook: true}, func(t *testing.T, d *slic.Driver, far *sim.Phone) {
		start := time.Now()
		if e := next(t, d, time.Second); e.Type != hal.OffHook || e.Answer {
			t.Errorf("event %+v", e)
		}
		if took := time.Since(start); took < 100*time.Millisecond {
			t.Errorf("off-hook after %v: the wake-up was not awaited", took)
		}
		if err := d.Ring(de); err == nil {
			t.Error("rings a phone that is off-hook")
		}
	})
}

func TestDeadLine(t *testing.T) {
	bubble(t, slic.Config{}, sim.Faults{Dead: true}, func(t *testing.T, d *slic.Driver, far *sim.Phone) {
		if err := d.Ring(de); err != nil {
			t.Fatal(err)
		}
		far.OffHook()
		quiet(t, d, 20*time.Second)
		if n := len(far.Bursts()); n != 0 {
			t.Errorf("a dead line heard %d bursts", n)
		}
	})
}

func TestLostEdgesAreFound(t *testing.T) {
	bubble(t, slic.Config{}, sim.Faults{LoseEdges: true}, func(t *testing.T, d *slic.Driver, far *sim.Phone) {
		far.OffHook()
		if e := next(t, d, time.Second); e.Type != hal.OffHook {
			t.Errorf("event %+v", e)
		}
		far.OnHook()
		if e := next(t, d, 2*time.Second); e.Type != hal.OnHook {
			t.Errorf("event %+v", e)
		}
		if s := d.Stats(); s.LostEdges < 2 {
			t.Errorf("stats %+v, want lost edges", s)
		}
	})
}

func TestPinFailureAndRecovery(t *testing.T) {
	bubble(t, slic.Config{}, sim.Faults{}, func(t *testing.T, d *slic.Driver, far *sim.Phone) {
		far.OffHook()
		next(t, d, time.Second)
		broken := errors.New("GPIO16 has gone")
		far.SetFaults(sim.Faults{PinError: broken})
		if e := next(t, d, time.Second); e.Type != hal.OnHook {
			t.Errorf("event %+v, want on-hook: the call cannot go on", e)
		}
		if h := d.Health(); h.OK || !strings.Contains(h.Text, broken.Error()) {
			t.Errorf("health %+v", h)
		}
		if err := d.Ring(de); !errors.Is(err, hal.ErrFailed) {
			t.Errorf("Ring = %v, want ErrFailed", err)
		}
		<-time.After(12 * time.Second)
		if s := d.Stats(); s.Failures < 3 {
			t.Errorf("stats %+v: not tried again", s)
		}
		far.SetFaults(sim.Faults{})
		if e := next(t, d, 6*time.Second); e.Type != hal.OffHook {
			t.Errorf("event %+v, want off-hook: the handset still lies beside", e)
		}
		if h := d.Health(); !h.OK {
			t.Errorf("health %+v after the repair", h)
		}
	})
}

// A port that fails as the phone is picked up in a pause of the ringing tells that it is
// on-hook last: nobody would hear of its being hung up.
func TestFailsAtPickUp(t *testing.T) {
	bubble(t, slic.Config{}, sim.Faults{}, func(t *testing.T, d *slic.Driver, far *sim.Phone) {
		if err := d.Ring(de); err != nil {
			t.Fatal(err)
		}
		<-time.After(1310 * time.Millisecond) // SHK is read each 250 ms
		far.SetFaults(sim.Faults{PinError: errors.New("gone")})
		far.OffHook()
		if e := next(t, d, time.Second); e.Type != hal.OnHook {
			t.Errorf("event %+v, want on-hook", e)
		}
		far.OnHook()
		far.SetFaults(sim.Faults{})
		quiet(t, d, 10*time.Second)
	})
}

func TestRingFailureIsReported(t *testing.T) {
	bubble(t, slic.Config{}, sim.Faults{}, func(t *testing.T, d *slic.Driver, far *sim.Phone) {
		far.SetFaults(sim.Faults{PinError: errors.New("gone")})
		if err := d.Ring(de); !errors.Is(err, hal.ErrFailed) {
			t.Errorf("Ring = %v, want ErrFailed", err)
		}
		far.SetFaults(sim.Faults{})
		<-time.After(6 * time.Second)
		if err := d.Ring(de); err != nil {
			t.Errorf("Ring after the repair: %v", err)
		}
	})
}

func TestUnreadEventsKeepTheHookState(t *testing.T) {
	bubble(t, slic.Config{}, sim.Faults{}, func(t *testing.T, d *slic.Driver, far *sim.Phone) {
		far.OffHook()
		<-time.After(time.Second)
		for range 70 {
			if err := far.Flash(t.Context(), 300*time.Millisecond); err != nil {
				t.Fatal(err)
			}
			<-time.After(200 * time.Millisecond)
		}
		if s := d.Stats(); s.Dropped != 64 {
			t.Errorf("stats %+v, want 64 dropped", s)
		}
		if e := next(t, d, time.Second); e.Type != hal.OffHook {
			t.Errorf("first event %+v, want the hook state", e)
		}
		far.OnHook()
		var last hal.PhoneEvent
		for last.Type != hal.OnHook {
			last = next(t, d, 2*time.Second)
		}
	})
}

func TestCloseInABurst(t *testing.T) {
	bubble(t, slic.Config{}, sim.Faults{}, func(t *testing.T, d *slic.Driver, far *sim.Phone) {
		if err := d.Ring(de); err != nil {
			t.Fatal(err)
		}
		if err := far.WaitRing(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		_ = d.Close()
		_ = d.Close()
		if err := d.Ring(de); !errors.Is(err, hal.ErrClosed) {
			t.Errorf("Ring after Close = %v", err)
		}
		// open's cleanup checks that the burst ended in order and the chip sleeps.
	})
}

func TestPolarityIsSeen(t *testing.T) {
	bubble(t, slic.Config{}, sim.Faults{}, func(t *testing.T, d *slic.Driver, far *sim.Phone) {
		if err := d.SetPolarity(true); err != nil || !far.Reversed() {
			t.Errorf("reversed %v, %v", far.Reversed(), err)
		}
		if err := d.Ring(de); err != nil {
			t.Fatal(err)
		}
		<-time.After(7 * time.Second)
		if err := d.StopRing(); err != nil {
			t.Fatal(err)
		}
		<-time.After(100 * time.Millisecond)
		if !far.Reversed() {
			t.Error("ringing lost the polarity")
		}
		if err := d.SetPolarity(false); err != nil || far.Reversed() {
			t.Errorf("reversed %v, %v", far.Reversed(), err)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	far := sim.NewPhone("x")
	defer far.Close()
	pins := slic.Pins{SHK: far.SHK(), RM: far.RM(), FR: far.FR(), PD: far.PD()}
	if _, err := slic.Open(pins, slic.Config{Hz: 50}); err == nil {
		t.Error("50 Hz accepted")
	}
	if _, err := slic.Open(slic.Pins{SHK: far.SHK()}, slic.Config{}); err == nil {
		t.Error("missing pins accepted")
	}
	far.SetFaults(sim.Faults{PinError: errors.New("in use")})
	if _, err := slic.Open(pins, slic.Config{}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("Open = %v", err)
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAnswerInAPauseIsNoDialling(t *testing.T) {
	bubble(t, slic.Config{}, sim.Faults{}, func(t *testing.T, d *slic.Driver, far *sim.Phone) {
		if err := d.Ring(de); err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * time.Second)
		far.OffHook()
		if e := next(t, d, time.Second); e.Type != hal.OffHook || !e.Answer {
			t.Errorf("event %+v", e)
		}
		if err := far.DialPulses(t.Context(), "3", 10); err != nil {
			t.Fatal(err)
		}
		quiet(t, d, time.Second)
	})
}
