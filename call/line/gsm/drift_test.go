package gsm_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/hal/sim/cell"
	"callbox/media"
	"callbox/media/clock"
)

// talker is the media clock's end of a leg.
type talker struct {
	port media.Port
	in   media.Frame

	mu    sync.Mutex // guards what follows
	say   []int16
	heard int       // samples
	click time.Time // when the last loud sample was heard
}

// Collect implements media.Ticker.
func (k *talker) Collect() {
	if !k.port.ReadFrame(&k.in) {
		clear(k.in[:])
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, v := range k.in {
		if v > 8000 && k.click.IsZero() {
			k.click = time.Now().Add(time.Duration(i) * time.Second / 8000)
		}
	}
	k.heard += len(k.in)
}

// Deliver implements media.Ticker.
func (k *talker) Deliver() {
	var out media.Frame
	k.mu.Lock()
	k.say = k.say[copy(out[:], k.say):]
	k.mu.Unlock()
	k.port.WriteFrame(&out)
}

// legs takes those that arrive.
type legs chan call.Leg

func (l legs) Incoming(g call.Leg) { l <- g }

// TestClockError runs a call for ten minutes with a modem whose clock is wrong by
// 200 ppm: the delay does not grow, in neither direction.
func TestClockError(t *testing.T) {
	for _, ppm := range []float64{200, -200} {
		for _, burst := range []int{0, 5} {
			synctest.Test(t, func(t *testing.T) { tenMinutes(t, cell.Faults{RatePPM: ppm, Burst: burst}) })
		}
	}
}

func tenMinutes(t *testing.T, faults cell.Faults) {
	p := newPort(t, cell.EC25, faults)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		if err := p.line.Serve(ctx, make(legs, 1)); err != nil {
			t.Error(err)
		}
	})
	for !p.line.Status().Ready {
		<-time.After(time.Second)
	}
	g, err := p.line.Dial(ctx, call.Dial{To: "+15550199"})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.modem.PickUp(ctx); err != nil {
		t.Fatal(err)
	}
	k := &talker{port: g.Audio()}
	c := clock.New(nil)
	c.Add(k)
	wg.Go(func() { _ = c.Run(ctx) }) // ends with ctx
	<-time.After(5 * time.Second)
	click := make([]int16, 400)
	for i := range click {
		click[i] = 12000
	}
	var down, up []time.Duration
	for range 20 {
		<-time.After(30 * time.Second)
		k.mu.Lock()
		k.click = time.Time{}
		k.mu.Unlock()
		at := time.Now()
		if err := p.sub.Queue(click); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		k.mu.Lock()
		if k.click.IsZero() {
			t.Error("the click of the far end was not heard")
		}
		down = append(down, k.click.Sub(at))
		k.say = append([]int16(nil), click...)
		before := len(p.sub.Heard())
		k.mu.Unlock()
		<-time.After(time.Second)
		heard := p.sub.Heard()
		i := max(before, 0)
		for i < len(heard) && heard[i] < 8000 {
			i++
		}
		if i == len(heard) && len(heard) > before {
			t.Error("the far end did not hear the click")
		}
		if len(heard) > before { // the subscriber's memory is five minutes
			up = append(up, time.Duration(i-before)*time.Second/8000)
		}
	}
	for name, list := range map[string][]time.Duration{"down": down, "up": up} {
		least, most := list[0], list[0]
		for _, d := range list {
			least, most = min(least, d), max(most, d)
		}
		if most > 180*time.Millisecond || most-least > 70*time.Millisecond {
			t.Errorf("%+.0f ppm, burst %d: the delay %s goes from %v to %v: %v", faults.RatePPM, faults.Burst, name, least, most, list)
		} else {
			t.Logf("%+.0f ppm, burst %d: the delay %s goes from %v to %v", faults.RatePPM, faults.Burst, name, least, most)
		}
	}
	if s := p.modem.SoundStats(); s.Lost > 0 {
		t.Errorf("the modem lost sound: %+v", s)
	}
	g.Hangup(call.NormalClearing(call.Box))
	for range g.Events() {
	}
}
