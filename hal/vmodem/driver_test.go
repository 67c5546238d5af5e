package vmodem_test

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"callbox/hal"
	"callbox/hal/at"
	"callbox/hal/sim"
	"callbox/hal/vmodem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a driver on a simulated modem and exchange.
type rig struct {
	*testing.T
	d     *vmodem.Driver
	modem *sim.VoiceModem
	line  *sim.Exchange

	mu    sync.Mutex
	trace []at.Entry
	gone  bool // no modem is plugged in
}

func (r *rig) open(context.Context) (io.ReadWriteCloser, error) {
	r.mu.Lock()
	gone := r.gone
	r.mu.Unlock()
	if gone {
		return nil, hal.ErrGone
	}
	near, far := sim.NewWire()
	r.modem.Plug(far)
	return near, nil
}

func (r *rig) traced(e at.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trace = append(r.trace, e)
}

// bubble runs f with a driver that is ready, in virtual time.
func bubble(t *testing.T, m sim.VoiceModel, xc sim.ExchangeConfig, c vmodem.Config, f func(r *rig)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{T: t, line: sim.NewExchange(xc)}
		r.modem = sim.NewVoiceModem(m, r.line)
		c.Open, c.Trace = r.open, r.traced
		if c.Country == "" {
			c.Country = xc.Country
		}
		d, err := vmodem.Open(c)
		if err != nil {
			t.Fatal(err)
		}
		r.d = d
		defer func() {
			_ = r.modem.Close()
			_ = r.line.Close()
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			if t.Failed() {
				r.mu.Lock()
				defer r.mu.Unlock()
				for _, e := range r.trace[max(0, len(r.trace)-80):] {
					t.Logf("%s %v %q", e.At.Format("05.000"), e.Out, e.Text)
				}
			}
		}()
		r.ready()
		f(r)
	})
}

// ready waits until the modem is set up.
func (r *rig) ready() {
	r.Helper()
	for end := time.Now().Add(time.Minute); !r.d.Health().OK; <-time.After(100 * time.Millisecond) {
		if time.Now().After(end) {
			r.Fatalf("the modem is not ready: %s", r.d.Health().Text)
		}
	}
}

// event takes events until one of type typ comes.
func (r *rig) event(typ hal.ExchangeEventType, within time.Duration) hal.ExchangeEvent {
	r.Helper()
	limit := time.After(within)
	for {
		select {
		case e, ok := <-r.d.Events():
			if !ok {
				r.Fatalf("the events have ended, want %v", typ)
			}
			if e.Type == typ {
				return e
			}
			if e.Type == hal.Released {
				r.Fatalf("released: %v, want %v", e.Err, typ)
			}
		case <-limit:
			r.Fatalf("no event %v within %v; line %s, health %s", typ, within, r.line.State(), r.d.Health().Text)
		}
	}
}

func (r *rig) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// tone is d of a sine.
func tone(hz float64, d time.Duration) []int16 {
	s := make([]int16, int(d*hal.SampleRate/time.Second))
	for i := range s {
		s[i] = int16(8000 * math.Sin(2*math.Pi*hz*float64(i)/hal.SampleRate))
	}
	return s
}

// level is the share of a tone in s, 0 to 1.
func level(s []int16, hz float64) float64 {
	var re, im, all float64
	for i, v := range s {
		x := float64(v)
		re += x * math.Cos(2*math.Pi*hz*float64(i)/hal.SampleRate)
		im += x * math.Sin(2*math.Pi*hz*float64(i)/hal.SampleRate)
		all += x * x
	}
	if all < 1 {
		return 0
	}
	return 2 * (re*re + im*im) / all / float64(len(s))
}

// pump moves sound for d: it says said, then silence, and gives what was heard.
func (r *rig) pump(said []int16, d time.Duration) (heard []int16) {
	r.Helper()
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			var b [160]int16
			said = said[copy(b[:], said):]
			if _, err := r.d.Write(b[:]); err != nil {
				return
			}
		}
	})
	for end := time.Now().Add(d); time.Now().Before(end); {
		var b [160]int16
		if _, err := r.d.Read(b[:]); err != nil {
			r.Errorf("read: %v", err)
			break
		}
		heard = append(heard, b[:]...)
	}
	close(stop)
	wg.Wait()
	return heard
}

func models() []sim.VoiceModel { return []sim.VoiceModel{sim.CX930xx, sim.USR5637} }

func TestDialled(t *testing.T) {
	for _, m := range models() {
		t.Run(string(m), func(t *testing.T) {
			bubble(t, m, sim.ExchangeConfig{Country: "DE"}, vmodem.Config{}, func(r *rig) {
				r.ok(r.d.Seize(hal.Seizure{Digits: "030555123"}))
				if err := r.d.Seize(hal.Seizure{}); !errors.Is(err, hal.ErrBusyLine) {
					r.Errorf("a second seizure: %v", err)
				}
				r.event(hal.Connected, 20*time.Second)
				ringing := r.pump(nil, 2500*time.Millisecond)
				if l := level(ringing[len(ringing)-4000:], 425); l < 0.9 {
					r.Errorf("ringback has a share of %.2f", l)
				}
				number, err := r.line.WaitCall(r.Context())
				r.ok(err)
				if number != "030555123" {
					r.Errorf("dialled %q", number)
				}
				r.ok(r.line.Answer())
				go r.line.Say(r.Context(), tone(1100, time.Second)) //nolint:errcheck // heard or not
				heard := r.pump(tone(700, time.Second), 2*time.Second)
				if l := level(heard[2400:8000], 1100); l < 0.9 {
					r.Errorf("the box hears a share of %.2f", l)
				}
				if far := r.line.Heard(); level(far[2400:8000], 700) < 0.9 {
					r.Errorf("the far end hears a share of %.2f", level(far[2400:8000], 700))
				}
				if _, under, over := r.modem.Stream(); under > 1 || over > 0 {
					r.Errorf("the modem ran dry %d times, and over %d times", under, over)
				}
				r.d.Release()
				r.event(hal.Released, 10*time.Second)
				r.ok(r.line.WaitIdle(r.Context()))
			})
		})
	}
}

func TestRingAndCaller(t *testing.T) {
	for _, m := range models() {
		for _, country := range []string{"US", "GB", "DE", "IN", "JP"} {
			t.Run(string(m)+country, func(t *testing.T) {
				bubble(t, m, sim.ExchangeConfig{Country: country}, vmodem.Config{}, func(r *rig) {
					r.ok(r.line.Call("5550123", "ALICE"))
					e := r.event(hal.Caller, 10*time.Second)
					if e.Number != "5550123" || e.Private {
						r.Errorf("caller %+v", e)
					}
					r.event(hal.Ring, 10*time.Second)
					r.ok(r.d.Seize(hal.Seizure{}))
					r.event(hal.Connected, 10*time.Second)
					heard := r.pump(tone(700, time.Second), 2*time.Second)
					if far := r.line.Heard(); level(far[len(far)-12000:len(far)-9000], 700) < 0.9 {
						r.Error("the caller does not hear the box")
					}
					_ = heard
					r.d.Release()
					r.event(hal.Released, 10*time.Second)
				})
			})
		}
	}
}

func TestNoDialTone(t *testing.T) {
	bubble(t, sim.CX930xx, sim.ExchangeConfig{}, vmodem.Config{}, func(r *rig) {
		r.line.SetFaults(sim.LineFaults{NoDialTone: true})
		r.ok(r.d.Seize(hal.Seizure{Digits: "123"}))
		for e := range r.d.Events() {
			if e.Type == hal.Released {
				if !errors.Is(e.Err, hal.ErrNoDialTone) {
					r.Errorf("released: %v", e.Err)
				}
				return
			}
		}
	})
}
