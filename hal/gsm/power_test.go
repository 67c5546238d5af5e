package gsm_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/hal"
	"callbox/hal/gsm"
	"callbox/hal/sim/cell"
)

// TestPortPower: a modem that hangs so that only its power helps loses it after a while,
// and is back with the same name.
func TestPortPower(t *testing.T) {
	for _, f := range families() {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, modemConfig(f), gsm.Config{}, cell.Faults{})
			b.ready()
			<-time.After(10 * time.Minute) // a modem that is well keeps its power
			b.modem.SetFaults(cell.Faults{Hung: true})
			b.until("noticed", time.Minute, func(s hal.ModemState) bool { return !s.OK })
			s := b.until("back", 4*time.Minute, func(s hal.ModemState) bool { return s.OK })
			if c := s.Counters; c.PortCycles != 1 || c.PowerKeys != 0 {
				t.Errorf("counters %+v", c)
			}
			if !told(s, "the power of its USB port is switched off and on") {
				t.Errorf("history %+v", s.History)
			}
		})
	}
}

func told(s hal.ModemState, text string) bool {
	for _, n := range s.History {
		if strings.Contains(n.Text, text) {
			return true
		}
	}
	return false
}

// TestPowerBudget: a modem that nothing brings back loses its power a few times a day
// and not while another modem has a call; then the condition says that somebody has to
// come.
func TestPowerBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, modemConfig(cell.EC25), gsm.Config{IMEI: modemConfig(cell.EC25).IMEI}, cell.Faults{})
		mc := modemConfig(cell.E1550)
		mc.IMEI, mc.Card.ICCID, mc.Number = "860000000000029", "8901260000000000029", "+15550129"
		other := cell.NewModem(b.net, mc)
		b.rack.Plug(other, "1-1.3")
		t.Cleanup(func() {
			b.rack.Unplug(other)
			_ = other.Close()
		})
		second := b.hub.Port(gsm.Config{Name: "gsm2", IMEI: mc.IMEI})
		b.ready()
		for end := time.Now().Add(time.Minute); !second.State().OK && time.Now().Before(end); <-time.After(time.Second) {
		}
		if err := second.Dial(t.Context(), "+15550199", false); err != nil {
			t.Fatal(err)
		}
		if err := other.PickUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.modem.SetFaults(cell.Faults{Silent: true})
		<-time.After(10 * time.Minute)
		if c := b.port.State().Counters; c.PortCycles != 0 {
			t.Errorf("its power was taken while the other modem had a call: %+v", c)
		}
		second.Hangup()
		<-time.After(2 * time.Hour)
		s := b.port.State()
		if n := s.Counters.PortCycles; n != 6 {
			t.Errorf("in a day its power was taken %d times", n)
		}
		if s.OK || !strings.Contains(s.Text, "look at its supply") {
			t.Errorf("the condition is %q", s.Text)
		}
		b.modem.SetFaults(cell.Faults{})
		b.ready()
	})
}

// key is a modem's power key: 3 s switch it off, 2 s on. It stands for the transistor
// and the modem behind it.
type key struct {
	modem *cell.Modem
	rack  *cell.Rack
	reset bool

	mu      sync.Mutex // guards what follows
	pressed time.Time
	presses []time.Duration
}

func (k *key) Name() string { return "GPIO10" }

func (k *key) Set(l hal.Level) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if l == hal.High {
		k.pressed = time.Now()
		return nil
	}
	held := time.Since(k.pressed)
	k.presses = append(k.presses, held)
	switch {
	case k.reset, held >= 3*time.Second:
		k.rack.Unplug(k.modem)
		if !k.reset {
			return nil
		}
	case held < 2*time.Second:
		return nil
	}
	k.modem.SetFaults(cell.Faults{})
	k.rack.Plug(k.modem, "1-1.2")
	return nil
}

// wired is a bus whose power cannot be switched.
type wired struct{ rack *cell.Rack }

func (w wired) TTYs() ([]hal.TTY, error)                         { return w.rack.TTYs() }
func (w wired) OpenPort(path string) (io.ReadWriteCloser, error) { return w.rack.OpenPort(path) }
func (w wired) OpenStream(path string) (hal.Stream, error)       { return w.rack.OpenStream(path) }
func closeModem(t *testing.T, h *gsm.Hub, r *cell.Rack, m *cell.Modem) {
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	r.Unplug(m)
	_ = m.Close()
}

// TestPowerKey: a modem that hangs is switched off and on by its key, or reset by its
// reset line, held as long as every make needs; one that is off is switched on.
func TestPowerKey(t *testing.T) {
	for what, want := range map[string][]time.Duration{
		"key": {3200 * time.Millisecond, 2200 * time.Millisecond}, "reset": {300 * time.Millisecond}, "off": {2200 * time.Millisecond},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rack := cell.NewRack()
				m := cell.NewModem(cell.NewNetwork(), modemConfig(cell.SIM7600))
				rack.Plug(m, "1-1.2")
				k := &key{modem: m, rack: rack, reset: what == "reset"}
				lines := gsm.Key{Power: k}
				if k.reset {
					lines = gsm.Key{Reset: k}
				}
				hub := gsm.NewHub(wired{rack}, nil)
				defer closeModem(t, hub, rack, m)
				port := hub.Port(gsm.Config{Name: "gsm1", Key: lines})
				port.Use(gsm.Config{Name: "gsm1"}) // the wires stay
				b := &bench{t: t, port: port}
				b.ready()
				if what == "off" {
					rack.Unplug(m)
				} else {
					m.SetFaults(cell.Faults{Hung: true})
				}
				b.until("gone", time.Minute, func(s hal.ModemState) bool { return !s.OK })
				s := b.until("back", 4*time.Minute, func(s hal.ModemState) bool { return s.OK })
				k.mu.Lock()
				defer k.mu.Unlock()
				if s.Counters.PowerKeys != 1 || len(k.presses) != len(want) || !told(s, "its power key is pressed") {
					t.Fatalf("presses %v, want %v; %+v", k.presses, want, s.Counters)
				}
				for i, d := range want {
					if k.presses[i] != d {
						t.Errorf("held for %v, want %v", k.presses[i], d)
					}
				}
			})
		})
	}
}

// TestKeyLetGo: a box that stops in the middle does not hold the key, and leaves no
// modem off, which nothing would switch on when the box is back.
func TestKeyLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rack := cell.NewRack()
		m := cell.NewModem(cell.NewNetwork(), modemConfig(cell.EC25))
		rack.Plug(m, "1-1.2")
		k := &key{modem: m, rack: rack}
		hub := gsm.NewHub(wired{rack}, nil)
		port := hub.Port(gsm.Config{Name: "gsm1", Key: gsm.Key{Power: k}})
		b := &bench{t: t, port: port}
		b.ready()
		m.SetFaults(cell.Faults{Hung: true})
		b.until("pressed", 4*time.Minute, func(s hal.ModemState) bool { return s.Counters.PowerKeys == 1 })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		<-ctx.Done()
		closeModem(t, hub, rack, m)
		if want := []time.Duration{3200 * time.Millisecond, 2200 * time.Millisecond}; !slices.Equal(k.presses, want) {
			t.Errorf("the key was held for %v, want %v", k.presses, want)
		}
	})
}
