package vmodem_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"callbox/hal"
	"callbox/hal/sim"
	"callbox/hal/vmodem"
)

// until waits until ok holds.
func (r *rig) until(what string, within time.Duration, ok func() bool) {
	r.Helper()
	for end := time.Now().Add(within); !ok(); <-time.After(50 * time.Millisecond) {
		if time.Now().After(end) {
			r.Fatalf("not within %v: %s; health %+v, exchange %s", within, what, r.d.Health(), r.line.State())
		}
	}
}

// A program that died has left the modem in the duplex, with a call on the line: the
// next one finds its way back, hangs up and can call.
func TestLeftInDuplex(t *testing.T) {
	for _, m := range models() {
		t.Run(string(m), func(t *testing.T) {
			bubble(t, m, sim.ExchangeConfig{}, vmodem.Config{}, func(r *rig) {
				r.ok(r.d.Seize(hal.Seizure{Digits: "5550123"}))
				r.event(hal.Connected, 20*time.Second)
				// The modem keeps its power and its state; only its tty is opened again.
				near, far := sim.NewWire()
				r.modem.Plug(far)
				if duplex, _, _ := r.modem.Stream(); !duplex {
					r.Fatal("the modem has left the duplex by itself")
				}
				_ = near.Close()
				for e := range r.d.Events() {
					if e.Type == hal.Released {
						if e.Err == nil {
							r.Error("released without a reason")
						}
						break
					}
				}
				r.until("the modem is ready again", 30*time.Second, func() bool { return r.d.Health().OK })
				r.ok(r.line.WaitIdle(r.Context()))
				r.ok(r.d.Seize(hal.Seizure{Digits: "5550123"}))
				r.event(hal.Connected, 20*time.Second)
				r.d.Release()
				r.event(hal.Released, 10*time.Second)
			})
		})
	}
}

// Pulled out and put back 200 times, every second time in a call: it is told within 5 s
// and back within 30.
func TestReplugged(t *testing.T) {
	bubble(t, sim.CX930xx, sim.ExchangeConfig{}, vmodem.Config{}, func(r *rig) {
		for n := range 200 {
			if n%2 == 1 {
				r.ok(r.d.Seize(hal.Seizure{Digits: "5550123"}))
				r.event(hal.Connected, 20*time.Second)
			}
			r.mu.Lock()
			r.gone = true
			r.mu.Unlock()
			pulled := time.Now()
			r.modem.Unplug()
			if n%2 == 1 {
				for e := range r.d.Events() {
					if e.Type != hal.Released {
						continue
					}
					if !errors.Is(e.Err, hal.ErrFailed) || time.Since(pulled) > 5*time.Second {
						r.Fatalf("time %d: released after %v: %v", n, time.Since(pulled), e.Err)
					}
					break
				}
			}
			r.until("it is known to be gone", 5*time.Second, func() bool { return !r.d.Health().OK })
			if err := r.d.Seize(hal.Seizure{}); !errors.Is(err, hal.ErrFailed) {
				r.Fatalf("seized without a modem: %v", err)
			}
			<-time.After(time.Duration(n%20) * time.Second)
			r.mu.Lock()
			r.gone = false
			r.mu.Unlock()
			r.until("it is back", 30*time.Second, func() bool { return r.d.Health().OK })
		}
	})
}

// One byte in a hundred arrives as another, and in pieces of any size: calls may fail,
// but nothing hangs, and once the line is clean again the modem is back within 90 s.
func TestCorrupted(t *testing.T) {
	for seed := range 12 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, models()[seed%2], sim.ExchangeConfig{}, vmodem.Config{}, func(r *rig) {
				r.modem.SetFaults(sim.VoiceModemFaults{Corrupt: 0.01, Split: true, Seed: uint64(seed)})
				for range 8 {
					began := time.Now()
					if err := r.d.Seize(hal.Seizure{Digits: "5550123"}); err != nil {
						if !errors.Is(err, hal.ErrFailed) {
							r.Fatalf("seize: %v", err)
						}
						<-time.After(10 * time.Second)
						continue
					}
					quit := time.After(40 * time.Second)
					stop := make(chan struct{})
					go r.noise(stop)
					for released := false; !released; {
						select {
						case e := <-r.d.Events():
							released = e.Type == hal.Released
						case <-quit:
							r.d.Release()
						}
						if time.Since(began) > 3*time.Minute {
							r.Fatalf("the line hangs: %+v", r.d.Health())
						}
					}
					close(stop)
				}
				r.modem.SetFaults(sim.VoiceModemFaults{})
				clean := time.Now()
				r.until("the modem works again", 90*time.Second, func() bool {
					return r.d.Health().OK && r.d.Seize(hal.Seizure{Digits: "5550123"}) == nil
				})
				for connected := false; !connected; {
					select {
					case e := <-r.d.Events():
						if connected = e.Type == hal.Connected; e.Type == hal.Released {
							_ = r.d.Seize(hal.Seizure{Digits: "5550123"})
						}
					case <-time.After(time.Until(clean.Add(90 * time.Second))):
						r.Fatalf("no call within 90 s of a clean line: %+v", r.d.Health())
					}
				}
				r.d.Release()
				r.event(hal.Released, 30*time.Second)
			})
		})
	}
}

// noise moves sound as long as there is some.
func (r *rig) noise(stop <-chan struct{}) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		var b [160]int16
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := r.d.Read(b[:]); err != nil {
				<-time.After(100 * time.Millisecond)
			}
		}
	}()
	b := tone(700, 20*time.Millisecond)
	for {
		select {
		case <-stop:
			<-done
			return
		default:
		}
		if _, err := r.d.Write(b); err != nil {
			<-time.After(100 * time.Millisecond)
		}
	}
}

// A modem that answers nothing is told so, and works when it does again.
func TestMute(t *testing.T) {
	bubble(t, sim.CX930xx, sim.ExchangeConfig{}, vmodem.Config{}, func(r *rig) {
		r.modem.SetFaults(sim.VoiceModemFaults{Mute: true})
		r.until("it is noticed", time.Minute, func() bool { return !r.d.Health().OK })
		r.modem.SetFaults(sim.VoiceModemFaults{})
		r.until("it works again", 90*time.Second, func() bool { return r.d.Health().OK })
	})
}

// A modem that takes two seconds for each command is slow, not broken.
func TestSlow(t *testing.T) {
	bubble(t, sim.CX930xx, sim.ExchangeConfig{}, vmodem.Config{}, func(r *rig) {
		r.modem.SetFaults(sim.VoiceModemFaults{SlowOK: true})
		for range 3 {
			if err := r.d.Seize(hal.Seizure{}); err != nil {
				r.until("it works", 90*time.Second, func() bool { return r.d.Health().OK })
				continue
			}
			for e := range r.d.Events() {
				if e.Type == hal.Connected {
					r.d.Release()
				}
				if e.Type == hal.Released {
					break
				}
			}
		}
		r.modem.SetFaults(sim.VoiceModemFaults{})
		r.until("it works again", 90*time.Second, func() bool { return r.d.Health().OK })
	})
}

// Ten minutes with a modem whose clock is off: what the box says is neither late nor in
// pieces.
func TestClock(t *testing.T) {
	for _, ppm := range []float64{-200, 200} {
		t.Run(fmt.Sprint(ppm), func(t *testing.T) {
			bubble(t, sim.CX930xx, sim.ExchangeConfig{}, vmodem.Config{}, func(r *rig) {
				r.modem.SetFaults(sim.VoiceModemFaults{RatePPM: ppm})
				r.ok(r.line.Call("5550123", ""))
				r.event(hal.Ring, 10*time.Second)
				r.ok(r.d.Seize(hal.Seizure{}))
				r.event(hal.Connected, 10*time.Second)
				worst := 0
				for range 60 {
					r.pump(nil, 10*time.Second)
					worst = max(worst, r.modem.Backlog())
				}
				_, under, over := r.modem.Stream()
				if worst > 600 || under > 1 || over > 0 {
					r.Errorf("backlog of %d samples, ran dry %d times, over %d", worst, under, over)
				}
				r.d.Release()
				r.event(hal.Released, 10*time.Second)
			})
		})
	}
}

// A hook flash makes a short break of the loop, and sound goes on after it.
func TestFlash(t *testing.T) {
	bubble(t, sim.CX930xx, sim.ExchangeConfig{}, vmodem.Config{}, func(r *rig) {
		if err := r.d.Flash(); !errors.Is(err, hal.ErrBusyLine) {
			r.Errorf("flash on-hook: %v", err)
		}
		r.ok(r.d.Seize(hal.Seizure{Digits: "5550123"}))
		r.event(hal.Connected, 20*time.Second)
		r.pump(nil, 3*time.Second)
		r.ok(r.line.Answer())
		for range 8 { // more often than a duplex that breaks off may be begun again
			r.ok(r.d.Flash())
			r.until("the exchange offers a second call", 5*time.Second, func() bool { return r.line.State() == "dial tone" })
			<-time.After(time.Second)
			heard := r.pump(nil, time.Second)
			if l := level(heard[4000:], 440); l < 0.3 {
				r.Errorf("dial tone has a share of %.2f", l)
			}
			r.line.Retrieve()
		}
		r.d.Release()
		r.event(hal.Released, 10*time.Second)
	})
}

// A flash that comes as the line is released is none of the next call.
func TestFlashOfEarlierCall(t *testing.T) {
	bubble(t, sim.CX930xx, sim.ExchangeConfig{}, vmodem.Config{}, func(r *rig) {
		flashes := func() (n int) {
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, e := range r.trace {
				if e.Out && e.Text == "AT+VTS=!" {
					n++
				}
			}
			return n
		}
		for range 30 { // the driver may take either first
			r.ok(r.d.Seize(hal.Seizure{}))
			r.event(hal.Connected, 20*time.Second)
			r.ok(r.d.Flash())
			r.d.Release()
			for (<-r.d.Events()).Type != hal.Released {
			}
			before := flashes()
			r.ok(r.d.Seize(hal.Seizure{}))
			r.event(hal.Connected, 20*time.Second)
			<-time.After(time.Second)
			if n := flashes() - before; n > 0 {
				r.Fatalf("%d flashes in a call in which nobody asked for one", n)
			}
			r.d.Release()
			r.event(hal.Released, 10*time.Second)
		}
	})
}

// A release while dialling ends the dialling at once.
func TestReleasedWhileDialling(t *testing.T) {
	bubble(t, sim.CX930xx, sim.ExchangeConfig{}, vmodem.Config{}, func(r *rig) {
		r.ok(r.d.Seize(hal.Seizure{Digits: "5550123,,,,,,,,,,,,"}))
		<-time.After(5 * time.Second)
		r.d.Release()
		began := time.Now()
		for e := range r.d.Events() {
			if e.Type == hal.Released {
				if !errors.Is(e.Err, hal.ErrReleased) || time.Since(began) > 2*time.Second {
					r.Errorf("released after %v: %v", time.Since(began), e.Err)
				}
				break
			}
		}
		r.ok(r.line.WaitIdle(r.Context()))
	})
}

// An exchange that knows no keys takes pulses.
func TestPulse(t *testing.T) {
	bubble(t, sim.CX930xx, sim.ExchangeConfig{}, vmodem.Config{}, func(r *rig) {
		r.line.SetFaults(sim.LineFaults{PulseOnly: true})
		r.ok(r.d.Seize(hal.Seizure{Digits: "5550", Pulse: true}))
		r.event(hal.Connected, 30*time.Second)
		r.pump(nil, 3*time.Second)
		if d := r.line.Dialled(); d != "5550" {
			r.Errorf("dialled %q", d)
		}
		r.d.Release()
		r.event(hal.Released, 10*time.Second)
	})
}
