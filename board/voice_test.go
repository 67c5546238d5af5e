package board

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"callbox/hal"
	"callbox/hal/sim"
)

// modemBus is a made-up USB bus with voice modems on it.
type modemBus struct {
	mu   sync.Mutex
	ttys []hal.TTY
	mods map[string]*sim.VoiceModem // by path
}

func (u *modemBus) hardware() hardware {
	return hardware{
		ttys: func() ([]hal.TTY, error) {
			u.mu.Lock()
			defer u.mu.Unlock()
			return u.ttys, nil
		},
		serial: func(path string) (io.ReadWriteCloser, error) {
			u.mu.Lock()
			defer u.mu.Unlock()
			if u.mods[path] == nil {
				return nil, hal.ErrGone
			}
			near, far := sim.NewWire()
			u.mods[path].Plug(far)
			return near, nil
		},
	}
}

func modem(path, place string) hal.TTY {
	return hal.TTY{Path: path, Vendor: 0x0572, Product: 0x1329, Place: place}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); <-time.After(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// Voice modems are ports by their place on USB, whatever their ttys are called.
func TestVoiceModems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := [2]*sim.Exchange{sim.NewExchange(sim.ExchangeConfig{}), sim.NewExchange(sim.ExchangeConfig{})}
		mods := [2]*sim.VoiceModem{sim.NewVoiceModem(sim.CX930xx, lines[0]), sim.NewVoiceModem(sim.USR5637, lines[1])}
		bus := &modemBus{
			ttys: []hal.TTY{modem("/dev/ttyACM1", "1-1.2"), {Path: "/dev/ttyUSB0", Vendor: 0x2c7c, Product: 0x125, Place: "1-1.3"}, modem("/dev/ttyACM0", "1-1.4")},
			mods: map[string]*sim.VoiceModem{"/dev/ttyACM1": mods[0], "/dev/ttyACM0": mods[1]},
		}
		c := testConfig()
		c.Trace = func(time.Time, string, string, bool, string) {}
		b, err := open(withVoiceModems(Profile{Name: "bench"}, bus.hardware()), "", c, bus.hardware())
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			for i := range mods {
				_ = mods[i].Close()
				_ = lines[i].Close()
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}()
		if len(b.Ports) != 2 || b.Ports[0].Name != "fxo1" || b.Ports[1].Name != "fxo2" || b.Ports[0].Exchange == nil {
			t.Fatalf("ports %+v, problems %+v", b.Ports, b.Problems)
		}
		first := b.Ports[0].Exchange
		until(t, "both are ready", func() bool { return first.Health().OK && b.Ports[1].Exchange.Health().OK })

		// The first is pulled out, and comes back behind another name.
		mods[0].Unplug()
		bus.mu.Lock()
		bus.ttys = []hal.TTY{modem("/dev/ttyACM0", "1-1.4")}
		delete(bus.mods, "/dev/ttyACM1")
		bus.mu.Unlock()
		until(t, "the first is gone", func() bool { return !first.Health().OK })
		if h := first.Health(); !strings.Contains(h.Text, "no modem") && !strings.Contains(h.Text, "gone") {
			t.Errorf("health %+v", h)
		}
		bus.mu.Lock()
		bus.ttys = append([]hal.TTY{modem("/dev/ttyACM7", "1-1.2")}, bus.ttys...)
		bus.mods["/dev/ttyACM7"] = mods[0]
		bus.mu.Unlock()
		until(t, "it is back", func() bool { return first.Health().OK })
		if err := lines[0].Call("5550123", ""); err != nil {
			t.Fatal(err)
		}
		if e := <-first.Events(); e.Type != hal.Ring {
			t.Errorf("event %+v", e)
		}
	})
}

// A board without a modem says so, and does not break.
func TestNoVoiceModem(t *testing.T) {
	bus := &modemBus{}
	b, err := open(withVoiceModems(Profile{Name: "bench"}, bus.hardware()), "", testConfig(), bus.hardware())
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Problems) != 1 || b.Problems[0].Found != Skipped || !errors.Is(b.Problems[0].Err, errNoModem) {
		t.Errorf("problems %+v", b.Problems)
	}
}

// The simulated board's lines are real ttys, and can call each other.
func TestSimulatedLines(t *testing.T) {
	b, err := Open(Sim, Config{Root: fstest.MapFS{}, SimPhones: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close() //nolint:errcheck // simulated
	one, _ := b.Port("fxo1")
	two, _ := b.Port("fxo2")
	if one.Exchange == nil || two.Exchange == nil || one.Desk == nil {
		t.Fatalf("ports %+v, problems %+v", b.Ports, b.Problems)
	}
	until(t, "both are ready", func() bool { return one.Exchange.Health().OK && two.Exchange.Health().OK })
	if err := one.Exchange.Seize(hal.Seizure{Digits: "555162"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	wait := func(p Port, typ hal.ExchangeEventType) hal.ExchangeEvent {
		t.Helper()
		for {
			select {
			case e := <-p.Exchange.Events():
				if e.Type == typ {
					return e
				}
			case <-ctx.Done():
				t.Fatalf("no %v on %s", typ, p.Name)
			}
		}
	}
	wait(two, hal.Ring)
	if e := wait(two, hal.Caller); e.Number != "555161" {
		t.Errorf("caller %+v", e)
	}
	if err := two.Exchange.Seize(hal.Seizure{}); err != nil {
		t.Fatal(err)
	}
	wait(two, hal.Connected)
	if err := one.Desk.WaitTalking(ctx); err != nil {
		t.Error(err)
	}
	two.Exchange.Release()
	wait(two, hal.Released)
}
