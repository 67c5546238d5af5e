package sim

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"callbox/hal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble runs f with an awake phone in a synctest bubble.
func bubble(t *testing.T, f func(t *testing.T, p *Phone)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := NewPhone("p")
		t.Cleanup(func() { _ = p.Close() })
		must(t, p.PD().Release())
		<-time.After(100 * time.Millisecond)
		drain(p)
		f(t, p)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// drain takes the edges that wait.
func drain(p *Phone) (levels []hal.Level) {
	for {
		select {
		case e := <-p.SHK().Edges():
			levels = append(levels, e.Level)
		default:
			return levels
		}
	}
}

// ring makes a burst of n periods of hz by hand.
func ring(t *testing.T, p *Phone, n int, hz float64) {
	t.Helper()
	half := time.Duration(float64(time.Second) / hz / 2)
	must(t, p.RM().Set(hal.High))
	for i := range 2 * n {
		<-time.After(half)
		must(t, p.FR().Set(hal.Level(i%2 == 1)))
	}
	<-time.After(half)
	must(t, p.RM().Set(hal.Low))
}

func TestHookIsSeen(t *testing.T) {
	bubble(t, func(t *testing.T, p *Phone) {
		p.OffHook()
		if l, err := p.SHK().Read(); err != nil || l != hal.High || !p.IsOffHook() {
			t.Errorf("SHK %v, %v", l, err)
		}
		p.OnHook()
		if got := drain(p); !slices.Equal(got, []hal.Level{hal.High, hal.Low}) {
			t.Errorf("edges %v", got)
		}
		p.SetFaults(Faults{Bounce: 5 * time.Millisecond})
		p.OffHook()
		if got := drain(p); len(got) < 5 || got[len(got)-1] != hal.High {
			t.Errorf("edges with bounce %v", got)
		}
	})
}

func TestWakeUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPhone("p")
		defer p.Close()
		p.OffHook()
		if l, _ := p.SHK().Read(); l != hal.Low {
			t.Error("a sleeping chip shows the hook")
		}
		p.OnHook()
		must(t, p.PD().Release())
		if l, _ := p.SHK().Read(); l != hal.High {
			t.Error("outputs are valid at once")
		}
		must(t, p.RM().Set(hal.High))
		<-time.After(50 * time.Millisecond)
		if l, _ := p.SHK().Read(); l != hal.Low {
			t.Error("the hook is not shown after the wake-up")
		}
		if v := p.Violations(); len(v) != 1 || !strings.Contains(v[0], "sleeps or wakes") {
			t.Errorf("violations %q", v)
		}
	})
}

func TestRingerHears(t *testing.T) {
	tests := []struct {
		name    string
		periods int
		hz      float64
		heard   bool
	}{
		{"16 Hz", 16, 16, true}, {"20 Hz", 20, 20, true}, {"25 Hz", 25, 25, true}, {"60 Hz", 60, 60, true},
		{"10 Hz", 10, 10, false}, {"100 Hz", 100, 100, false}, {"too short", 2, 25, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, p *Phone) {
				ring(t, p, tt.periods, tt.hz)
				b := p.Bursts()
				if (len(b) == 1) != tt.heard {
					t.Fatalf("heard %v", b)
				}
				if tt.heard && math.Abs(b[0].Hz-tt.hz) > 1 {
					t.Errorf("heard %.1f Hz", b[0].Hz)
				}
			})
		})
	}
}

func TestRingModeAloneIsNoRing(t *testing.T) {
	bubble(t, func(t *testing.T, p *Phone) {
		must(t, p.RM().Set(hal.High))
		<-time.After(time.Second)
		must(t, p.RM().Set(hal.Low))
		for i := range 20 { // F/R alone
			must(t, p.FR().Set(hal.Level(i%2 == 1)))
			<-time.After(20 * time.Millisecond)
		}
		if b := p.Bursts(); len(b) != 0 || p.Ringing() {
			t.Errorf("heard %v", b)
		}
	})
}

func TestNoRingOffHookOrDead(t *testing.T) {
	bubble(t, func(t *testing.T, p *Phone) {
		p.OffHook()
		ring(t, p, 20, 25)
		p.OnHook()
		p.SetFaults(Faults{Dead: true})
		ring(t, p, 20, 25)
		if b := p.Bursts(); len(b) != 0 {
			t.Errorf("heard %v", b)
		}
	})
}

func TestWaitRing(t *testing.T) {
	bubble(t, func(t *testing.T, p *Phone) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.WaitRing(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WaitRing without a ring: %v", err)
		}
		done := make(chan error, 1)
		go func() { done <- p.WaitRing(t.Context(), 2) }()
		synctest.Wait()
		ring(t, p, 20, 25)
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("returned after one ring: %v", err)
		default:
		}
		<-time.After(2 * time.Second)
		ring(t, p, 20, 25)
		must(t, <-done)
	})
}

func TestSpikesOfTheRinger(t *testing.T) {
	bubble(t, func(t *testing.T, p *Phone) {
		p.SetFaults(Faults{RingSpikes: true})
		ring(t, p, 5, 25)
		<-time.After(10 * time.Millisecond)
		if got := drain(p); len(got) != 20 {
			t.Errorf("%d edges, want 20: a short pulse at each of 10 turns", len(got))
		}
	})
}

func TestViolations(t *testing.T) {
	tests := []struct {
		name, want string
		do         func(t *testing.T, p *Phone)
	}{
		{"none", "", func(t *testing.T, p *Phone) { ring(t, p, 25, 25) }},
		{"too fast", "F/R turned after", func(t *testing.T, p *Phone) { ring(t, p, 25, 50) }},
		{"too slow", "F/R turned after", func(t *testing.T, p *Phone) { ring(t, p, 16, 16) }},
		{"end while low", "RM low while F/R is low", func(t *testing.T, p *Phone) {
			must(t, p.RM().Set(hal.High))
			<-time.After(20 * time.Millisecond)
			must(t, p.FR().Set(hal.Low))
			must(t, p.RM().Set(hal.Low))
		}},
		{"end too early", "after F/R", func(t *testing.T, p *Phone) {
			must(t, p.RM().Set(hal.High))
			<-time.After(20 * time.Millisecond)
			must(t, p.FR().Set(hal.Low))
			<-time.After(20 * time.Millisecond)
			must(t, p.FR().Set(hal.High))
			<-time.After(5 * time.Millisecond)
			must(t, p.RM().Set(hal.Low))
		}},
		{"reversed", "reversed", func(t *testing.T, p *Phone) {
			must(t, p.FR().Set(hal.Low))
			must(t, p.RM().Set(hal.High))
		}},
		{"no rest", "of the last minute", func(t *testing.T, p *Phone) {
			for range 20 {
				ring(t, p, 50, 25)
				<-time.After(2 * time.Second)
			}
		}},
		{"rings on", "off-hook", func(t *testing.T, p *Phone) {
			must(t, p.RM().Set(hal.High))
			<-time.After(20 * time.Millisecond)
			p.OffHook()
			<-time.After(time.Second)
			must(t, p.RM().Set(hal.Low))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, p *Phone) {
				tt.do(t, p)
				got := strings.Join(p.Violations(), "; ")
				if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
					t.Errorf("violations %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestSoundBothWays(t *testing.T) {
	bubble(t, func(t *testing.T, p *Phone) {
		p.OffHook()
		said := make([]int16, 1600)
		for i := range said {
			said[i] = int16(i + 1)
		}
		done := make(chan error, 1)
		go func() { done <- p.Say(t.Context(), said) }()
		synctest.Wait()
		start := time.Now()
		var got []int16
		b := make([]int16, 160)
		for range 10 {
			n, err := p.PCM().Read(b)
			must(t, err)
			got = append(got, b[:n]...)
		}
		if d := time.Since(start); d != 200*time.Millisecond {
			t.Errorf("1,600 samples took %v", d)
		}
		must(t, <-done)
		if !slices.Equal(got, said) {
			t.Error("the line heard something else")
		}
		start = time.Now()
		for i := range 20 {
			_, err := p.PCM().Write(said[:160])
			must(t, err)
			if i == 3 && time.Since(start) != 0 {
				t.Error("the first 80 ms were not buffered")
			}
		}
		if d := time.Since(start); d != 320*time.Millisecond {
			t.Errorf("writing 400 ms took %v, want 320 ms and 80 ms in the buffer", d)
		}
		if h := p.Heard(); len(h) != 3200 || h[159] != 160 {
			t.Errorf("heard %d samples", len(h))
		}
		p.Forget()
		if len(p.Heard()) != 0 {
			t.Error("not forgotten")
		}
		if s := p.PCM().Stats(); s.Read != 1600 || s.Written != 3200 || s.Overruns != 0 || s.Underruns != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestXruns(t *testing.T) {
	bubble(t, func(t *testing.T, p *Phone) {
		p.OffHook()
		b := make([]int16, 160)
		for range 2 {
			_, err := p.PCM().Read(b)
			must(t, err)
			_, err = p.PCM().Write(b)
			must(t, err)
		}
		<-time.After(200 * time.Millisecond)
		_, err := p.PCM().Read(b)
		must(t, err)
		_, err = p.PCM().Write(b)
		must(t, err)
		s := p.PCM().Stats()
		if s.Overruns != 1 || s.Lost == 0 || s.Underruns != 1 {
			t.Errorf("stats after 200 ms of nothing: %+v", s)
		}
		<-time.After(time.Second) // a rest is not an error
		_, err = p.PCM().Read(b)
		must(t, err)
		if g := p.PCM().Stats(); g.Overruns != 1 || g.Lost != s.Lost {
			t.Errorf("stats after a rest: %+v", g)
		}
	})
}

func TestRateError(t *testing.T) {
	bubble(t, func(t *testing.T, p *Phone) {
		p.SetFaults(Faults{RatePPM: 1000})
		start, b := time.Now(), make([]int16, 160)
		for range 500 {
			_, err := p.PCM().Read(b)
			must(t, err)
		}
		if d := time.Since(start); d < 9989*time.Millisecond || d > 9991*time.Millisecond {
			t.Errorf("10 s of samples took %v, want 9.99 s", d)
		}
	})
}

func TestSilentWhenOnHookOrDead(t *testing.T) {
	bubble(t, func(t *testing.T, p *Phone) {
		if err := p.Say(t.Context(), make([]int16, 10)); !errors.Is(err, ErrOnHook) {
			t.Errorf("Say on-hook = %v", err)
		}
		_, err := p.PCM().Write(make([]int16, 160))
		must(t, err)
		if len(p.Heard()) != 0 {
			t.Error("heard something on-hook")
		}
		p.OffHook()
		done := make(chan error, 1)
		go func() { done <- p.Say(t.Context(), make([]int16, 800)) }()
		synctest.Wait()
		p.OnHook()
		p.OffHook()
		if err := <-done; !errors.Is(err, ErrOnHook) {
			t.Errorf("Say over a hang-up = %v", err)
		}
		if err := p.Say(t.Context(), make([]int16, maxSay+1)); !errors.Is(err, ErrFull) {
			t.Errorf("Say of too much = %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Say(ctx, make([]int16, 800)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Say to nobody = %v", err)
		}
	})
}

func TestKeys(t *testing.T) {
	s, err := Keys("5", 100*time.Millisecond, 50*time.Millisecond)
	must(t, err)
	if len(s) != 1200 || s[900] != 0 {
		t.Fatalf("%d samples", len(s))
	}
	for _, hz := range []float64{697, 770, 852, 941, 1209, 1336, 1477, 1633} {
		var re, im float64
		for i, v := range s[:800] {
			w := 2 * math.Pi * hz * float64(i) / hal.SampleRate
			re, im = re+float64(v)*math.Cos(w), im+float64(v)*math.Sin(w)
		}
		peak := 2 * math.Hypot(re, im) / 800
		if want := hz == 770 || hz == 1336; (peak > 4000) != want {
			t.Errorf("%v Hz has a peak of %.0f", hz, peak)
		}
	}
	if _, err := Keys("5x", time.Second, time.Second); err == nil {
		t.Error("x is no key")
	}
}

func TestRotaryDial(t *testing.T) {
	bubble(t, func(t *testing.T, p *Phone) {
		if err := p.DialPulses(t.Context(), "1", 10); !errors.Is(err, ErrOnHook) {
			t.Errorf("dial on-hook = %v", err)
		}
		p.OffHook()
		drain(p)
		start := time.Now()
		must(t, p.DialPulses(t.Context(), "30", 10))
		if got := drain(p); len(got) != 26 {
			t.Errorf("%d edges, want 26 for 13 pulses", len(got))
		}
		if d := time.Since(start); d != 2900*time.Millisecond {
			t.Errorf("took %v", d)
		}
		for _, bad := range []string{"x", "*"} {
			if p.DialPulses(t.Context(), bad, 10) == nil {
				t.Errorf("%q on a rotary dial", bad)
			}
		}
		if p.DialPulses(t.Context(), "1", 0) == nil {
			t.Error("0 pulses per second")
		}
	})
}

func TestFaultsBreakPinsAndSound(t *testing.T) {
	bubble(t, func(t *testing.T, p *Phone) {
		broken := errors.New("broken")
		p.SetFaults(Faults{PinError: broken, PCMError: broken})
		_, rerr := p.PCM().Read(make([]int16, 160))
		_, werr := p.PCM().Write(make([]int16, 160))
		_, serr := p.SHK().Read()
		for _, err := range []error{rerr, werr, serr, p.RM().Set(hal.High), p.FR().Set(hal.Low), p.PD().Pull()} {
			if !errors.Is(err, broken) {
				t.Errorf("error %v", err)
			}
		}
		p.SetFaults(Faults{StuckOnHook: true})
		p.OffHook()
		if l, _ := p.SHK().Read(); l != hal.Low {
			t.Error("not stuck on-hook")
		}
		p.SetFaults(Faults{StuckOffHook: true})
		p.OnHook()
		if l, _ := p.SHK().Read(); l != hal.High {
			t.Error("not stuck off-hook")
		}
	})
}

func TestCloseEndsWaiting(t *testing.T) {
	bubble(t, func(t *testing.T, p *Phone) {
		p.OffHook()
		errs := make(chan error, 4)
		go func() { _, err := p.PCM().Read(make([]int16, 8000)); errs <- err }()
		go func() { _, err := p.PCM().Write(make([]int16, 8000)); errs <- err }()
		go func() { errs <- p.WaitRing(t.Context(), 1) }()
		go func() { errs <- p.DialPulses(t.Context(), "9", 10) }()
		synctest.Wait()
		must(t, p.Close())
		must(t, p.Close())
		for range 4 {
			if err := <-errs; !errors.Is(err, hal.ErrClosed) {
				t.Errorf("error %v", err)
			}
		}
		for range p.SHK().Edges() { // closed once its edges are read
		}
	})
}
