package gsm_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/hal"
	"callbox/hal/gsm"
	"callbox/hal/sim/cell"
)

// TestUnplug200 unplugs a modem 200 times, every other time in a call, and plugs it
// in at another place. The call ends for the right reason within 5 s; within 30 s
// the same port has the modem again.
func TestUnplug200(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rack, net := cell.NewRack(), cell.NewNetwork()
		hub := gsm.NewHub(rack, nil)
		var modems []*cell.Modem
		var ports []*gsm.Port
		for i, f := range families() {
			mc := modemConfig(f)
			mc.IMEI = fmt.Sprintf("86000000000002%d", i)
			mc.Card.ICCID = fmt.Sprintf("890126000000000002%d", i)
			mc.Number = fmt.Sprintf("+1555010%d", i)
			modems = append(modems, cell.NewModem(net, mc))
			rack.Plug(modems[i], fmt.Sprintf("1-1.%d", i+1))
			c := gsm.Config{Name: fmt.Sprintf("gsm%d", i+1)}
			switch i { // by modem, by SIM, by having been there
			case 0:
				c.IMEI = mc.IMEI
			case 1:
				c.ICCID = mc.Card.ICCID
			}
			ports = append(ports, hub.Port(c))
		}
		defer func() {
			if err := hub.Close(); err != nil {
				t.Error(err)
			}
			for _, m := range modems {
				rack.Unplug(m)
				m.Close()
			}
		}()
		ctx := context.Background()
		wait := func(i int, what string, limit time.Duration, ok func(hal.ModemState) bool) {
			t.Helper()
			for end := time.Now().Add(limit); !ok(ports[i].State()); <-time.After(20 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("gsm%d: not %s within %v: %q", i+1, what, limit, ports[i].State().Text)
				}
			}
		}
		for i := range ports {
			wait(i, "ready", 30*time.Second, func(s hal.ModemState) bool { return s.OK })
		}
		for n := range 200 {
			i := n % len(ports)
			imei := ports[i].State().IMEI
			if n%2 == 0 {
				if err := ports[i].Dial(ctx, "+15559999", false); err != nil {
					t.Fatal(err)
				}
				if err := modems[i].PickUp(ctx); err != nil {
					t.Fatal(err)
				}
				for e := range ports[i].Events() {
					if e.Type == hal.ModemAnswered {
						break
					}
				}
			}
			rack.Unplug(modems[i])
			at := time.Now()
			if n%2 == 0 {
				var e hal.ModemEvent
				for e = range ports[i].Events() {
					if e.Type == hal.ModemReleased {
						break
					}
				}
				if took := time.Since(at); took > 5*time.Second || e.Release.Q850 != 27 || !strings.Contains(e.Release.Text, "unplugged") {
					t.Fatalf("unplugging %d: released after %v: %+v", n, took, e.Release)
				}
			}
			wait(i, "gone", 5*time.Second, func(s hal.ModemState) bool { return !s.OK })
			at = time.Now()
			rack.Plug(modems[i], fmt.Sprintf("1-1.%d.%d", i+1, n%7))
			wait(i, "back", 30*time.Second, func(s hal.ModemState) bool { return s.OK })
			if got := ports[i].State().IMEI; got != imei || time.Since(at) > 30*time.Second {
				t.Fatalf("unplugging %d: the port has modem %s after %v, had %s", n, got, time.Since(at), imei)
			}
		}
		for i := range ports {
			if c := ports[i].State().Counters; c.Lost < 66 || c.Plugged < 66 {
				t.Errorf("counters of gsm%d: %+v", i+1, c)
			}
		}
	})
}

// TestCorruption damages 1 % of all bytes in both directions for ten minutes, with
// answers in pieces, while calls are made. Nothing hangs, every call ends, and 90 s
// after the line is good again calls can be made.
func TestCorruption(t *testing.T) {
	for _, f := range families() {
		for _, split := range []int{0, 1, 3, 7} {
			t.Run(fmt.Sprintf("%s/%d", f, split), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, modemConfig(f), gsm.Config{}, cell.Faults{})
					b.ready()
					b.modem.SetFaults(cell.Faults{Corrupt: 1, Split: split, Inside: true})
					ctx := context.Background()
					calls := 0
					for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); {
						if b.port.Dial(ctx, "+15550199", false) != nil {
							<-time.After(time.Second)
							continue
						}
						calls++
						b.finish(t)
					}
					b.modem.SetFaults(cell.Faults{})
					<-time.After(20 * time.Second) // what was going on, such as a restart, is on its way
					b.until("well again", 70*time.Second, func(s hal.ModemState) bool { return s.OK && !s.Busy })
					b.drain()
					if err := b.modem.HangUp(ctx); err != nil {
						t.Fatal(err)
					}
					<-time.After(10 * time.Second) // a call that nobody knows of is ended
					if err := b.port.Dial(ctx, "+15550199", false); err != nil {
						t.Fatal(err)
					}
					if err := b.modem.PickUp(ctx); err != nil {
						t.Fatal(err)
					}
					for e := range b.port.Events() {
						if e.Type == hal.ModemReleased {
							t.Fatalf("the call afterwards: %+v", e.Release)
						}
						if e.Type == hal.ModemAnswered {
							break
						}
					}
					t.Logf("%d calls; %+v", calls, b.port.State().Counters)
				})
			})
		}
	}
}

// finish answers a call, if it comes, and ends it from our side.
func (b *bench) finish(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = b.modem.PickUp(ctx) // it may never ring
	asked := time.After(5 * time.Second)
	limit := time.After(5 * time.Minute)
	for {
		select {
		case e := <-b.port.Events():
			if e.Type == hal.ModemReleased {
				return
			}
		case <-asked:
			b.port.Hangup()
		case <-limit:
			t.Fatalf("the call does not end: %+v", b.port.State())
		}
	}
}

// drain takes the events that are there.
func (b *bench) drain() {
	for {
		select {
		case <-b.port.Events():
		default:
			return
		}
	}
}

// TestSilence: a modem that answers nothing is opened again and is back when it
// speaks; a call that was up ends with the reason.
func TestSilence(t *testing.T) {
	for _, f := range families() {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, modemConfig(f), gsm.Config{}, cell.Faults{})
			b.ready()
			b.modem.SetFaults(cell.Faults{Silent: true})
			b.until("noticed", time.Minute, func(s hal.ModemState) bool { return !s.OK })
			<-time.After(5 * time.Minute)
			b.modem.SetFaults(cell.Faults{})
			b.until("back", 40*time.Second, func(s hal.ModemState) bool { return s.OK })
			if c := b.port.State().Counters; c.Reopened == 0 || c.Timeouts == 0 {
				t.Errorf("counters %+v", c)
			}
		})
	}
}

// TestMute: lines that the modem says by itself are lost; polling finds the ring,
// the answer and the end.
func TestMute(t *testing.T) {
	for _, f := range families() {
		t.Run(string(f), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, modemConfig(f), gsm.Config{}, cell.Faults{})
				b.ready()
				b.modem.SetFaults(cell.Faults{MuteURCs: true})
				ctx := context.Background()
				if err := b.port.Dial(ctx, "+15550199", false); err != nil {
					t.Fatal(err)
				}
				if err := b.modem.PickUp(ctx); err != nil {
					t.Fatal(err)
				}
				b.next(hal.ModemAnswered)
				if err := b.modem.HangUp(ctx); err != nil {
					t.Fatal(err)
				}
				at := time.Now()
				if e := b.next(hal.ModemReleased); time.Since(at) > 7*time.Second {
					t.Errorf("released %+v after %v", e.Release, time.Since(at))
				}
				if b.port.State().Counters.SavedByPoll != 1 {
					t.Errorf("counters %+v", b.port.State().Counters)
				}
				if err := b.modem.Call(ctx, ""); err != nil {
					t.Fatal(err)
				}
				if e := b.next(hal.ModemIncoming); e.Number != "+15550199" {
					t.Errorf("incoming %+v", e)
				}
				if err := b.modem.HangUp(ctx); err != nil {
					t.Fatal(err)
				}
				b.next(hal.ModemReleased)
			})
		})
	}
}

// TestNoNetworkForLong climbs the ladder: the radio is reset, and when that does not
// help the modem restarted, then its power taken, with pauses that grow.
func TestNoNetworkForLong(t *testing.T) {
	for _, f := range families() {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, modemConfig(f), gsm.Config{}, cell.Faults{NoNetwork: true})
			<-time.After(8 * time.Hour)
			c := b.port.State().Counters
			if c.RadioResets < 3 || c.RadioResets > 20 || c.Restarts < 1 || c.Restarts > 8 || c.PortCycles < 1 || c.PortCycles > 6 {
				t.Errorf("%s: in 8 hours %d resets of the radio, %d restarts, and %d times its power was taken", f, c.RadioResets, c.Restarts, c.PortCycles)
			}
			b.modem.SetFaults(cell.Faults{})
			b.until("back", time.Minute, func(s hal.ModemState) bool { return s.OK })
		})
	}
}

// TestWaitingCall: a second caller is refused as busy, and the call goes on.
func TestWaitingCall(t *testing.T) {
	for _, f := range families() {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, modemConfig(f), gsm.Config{}, cell.Faults{})
			other := modemConfig(f)
			other.Number = "+15550777"
			second := cell.NewModem(b.net, other)
			defer second.Close()
			b.ready()
			ctx := context.Background()
			if err := b.port.Dial(ctx, "+15550199", false); err != nil {
				t.Fatal(err)
			}
			if err := b.modem.PickUp(ctx); err != nil {
				t.Fatal(err)
			}
			for e := range b.port.Events() {
				if e.Type == hal.ModemAnswered {
					break
				}
			}
			why := second.Ring(b.modem)
			if got := <-why; got != cell.UserBusy {
				t.Errorf("%s: the second caller is told %d", f, got)
			}
			<-time.After(10 * time.Second)
			if !b.port.State().Busy {
				t.Errorf("%s: the call has ended", f)
			}
		})
	}
}

// TestHiddenCaller: a caller without a number is told of after two seconds.
func TestHiddenCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mc := modemConfig(cell.E1550)
		mc.Caller = ""
		b := newBench(t, mc, gsm.Config{}, cell.Faults{})
		b.ready()
		at := time.Now()
		if err := b.modem.Call(context.Background(), ""); err != nil {
			t.Fatal(err)
		}
		if e := b.next(hal.ModemIncoming); e.Number != "" || time.Since(at) > 3*time.Second {
			t.Errorf("%+v after %v", e, time.Since(at))
		}
	})
}

// TestSoundRefused: a modem whose sound starts only after attempts is restarted when
// the call is over.
func TestSoundRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, modemConfig(cell.SIM7600), gsm.Config{}, cell.Faults{Refusals: 3})
		b.ready()
		ctx := context.Background()
		if err := b.port.Dial(ctx, "+15550199", false); err != nil {
			t.Fatal(err)
		}
		if err := b.modem.PickUp(ctx); err != nil {
			t.Fatal(err)
		}
		<-time.After(5 * time.Second)
		if b.port.State().Counters.Restarts != 0 {
			t.Error("it was restarted in the call")
		}
		if err := b.modem.HangUp(ctx); err != nil {
			t.Fatal(err)
		}
		b.until("restarted", 10*time.Second, func(s hal.ModemState) bool { return s.Counters.Restarts == 1 })
		b.modem.SetFaults(cell.Faults{})
		<-time.After(2 * time.Second)
		b.until("back", 40*time.Second, func(s hal.ModemState) bool { return s.OK && s.Counters.Plugged > 1 })
	})
}
