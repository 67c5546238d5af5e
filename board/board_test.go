package board

import (
	"errors"
	"flag"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"callbox/hal"
	"callbox/hal/bus"
	"callbox/hal/sim"
)

var update = flag.Bool("update", false, "write the drawings anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestProfilesAreValid(t *testing.T) {
	for _, p := range append(Profiles(), simProfile(4, 0), simProfile(maxSims, 2)) {
		if err := p.Validate(); err != nil {
			t.Error(err)
		}
	}
}

// aPi is the profile of any Raspberry Pi.
func aPi(t *testing.T) Profile {
	t.Helper()
	p, err := byName("pi", nil, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPiPinPlan(t *testing.T) {
	pi := aPi(t)
	// On the Raspberry Pi GPIO 0…8 are pulled up at power-on, the others down: F/R
	// must rest high, RM and PD low.
	for _, p := range pi.Ports {
		if pi.ref(p.Pins.FR).Offset > 8 || pi.ref(p.Pins.RM).Offset < 9 || pi.ref(p.Pins.PD).Offset < 9 {
			t.Errorf("port %s does not rest at power-on: %+v", p.Name, p.Pins)
		}
		for _, n := range p.Pins.each() {
			pin := pi.ref(n.pin)
			// EEPROM, I2C, console, button of a codec HAT, I2S, LEDs, button.
			if slices.Contains([]int{0, 1, 2, 3, 14, 15, 17, 18, 19, 20, 21, 23, 24, 27, 10, 11, 4}, pin.Offset) {
				t.Errorf("port %s uses %v, which has another use", p.Name, pin)
			}
		}
	}
}

func TestValidateRefuses(t *testing.T) {
	pi := func(change func(*Profile)) Profile {
		p := aPi(t)
		change(&p)
		return p
	}
	for name, p := range map[string]Profile{
		"no name":              pi(func(p *Profile) { p.Name = "" }),
		"no driver":            pi(func(p *Profile) { p.Ports[0].Driver = "x" }),
		"no card":              pi(func(p *Profile) { p.Cards = nil }),
		"no channel":           pi(func(p *Profile) { p.Ports[1].Channel = 2 }),
		"same channel":         pi(func(p *Profile) { p.Ports[1].Channel = 0 }),
		"same pin":             pi(func(p *Profile) { p.Ports[1].Pins.PD = p.Ports[0].Pins.RM }),
		"same port":            pi(func(p *Profile) { p.Ports[1].Name = "fxs1" }),
		"same card":            pi(func(p *Profile) { p.Cards = append(p.Cards, p.Cards[0]) }),
		"card with none":       pi(func(p *Profile) { p.Cards[0].IDs = nil }),
		"LED on a line in use": pi(func(p *Profile) { p.LED.Pin = p.Ports[0].Pins.PD }),
		"a level above all": pi(func(p *Profile) {
			p.Cards = []Card{{Name: "codec", IDs: []string{"Zero"}, Channels: 2, Levels: map[string]int{"Mic": 101}}}
		}),
		"lifeline high at power-on": pi(func(p *Profile) { p.Lifeline = "GPIO7" }),
		"lifeline on a line in use": pi(func(p *Profile) { p.Lifeline = p.Ports[1].LED.Pin }),
		"button on a line in use":   pi(func(p *Profile) { p.Button = p.Ports[1].LED.Pin }),
		"no such line":              pi(func(p *Profile) { p.Ports[0].Pins.RM = "gpiochip0:x" }),
		"no line":                   pi(func(p *Profile) { p.Ports[0].Pins.SHK = "" }),
		"rings while it starts":     pi(func(p *Profile) { p.Ports[0].Pins.RM = "GPIO7" }),
		"awake while it starts":     pi(func(p *Profile) { p.Ports[0].Pins.PD = "GPIO8" }),
		"rings too fast":            pi(func(p *Profile) { p.Ports[0].RingHz = 90 }),
		"a name with a blank":       pi(func(p *Profile) { p.Name = "my board" }),
	} {
		if err := p.Validate(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestDetect(t *testing.T) {
	tests := []struct {
		name        string
		root        fstest.MapFS
		want, model string
	}{
		{"Pi 4", fstest.MapFS{
			"proc/device-tree/model":      {Data: []byte("Raspberry Pi 4 Model B Rev 1.4\x00")},
			"proc/device-tree/compatible": {Data: []byte("raspberrypi,4-model-b\x00brcm,bcm2711\x00")},
		}, "pi4", "Raspberry Pi 4 Model B Rev 1.4"},
		{"Zero 2 W by sysfs", fstest.MapFS{
			"sys/firmware/devicetree/base/model":      {Data: []byte("Raspberry Pi Zero 2 W Rev 1.0\x00")},
			"sys/firmware/devicetree/base/compatible": {Data: []byte("raspberrypi,model-zero-2-w\x00brcm,bcm2837\x00")},
		}, "pi-zero-2w", "Raspberry Pi Zero 2 W Rev 1.0"},
		{"a Pi of tomorrow", fstest.MapFS{
			"proc/device-tree/compatible": {Data: []byte("raspberrypi,9-model-z\x00")},
		}, "pi", ""},
		{"Orange Pi", fstest.MapFS{
			"proc/device-tree/compatible": {Data: []byte("xunlong,orangepi-zero3\x00allwinner,sun50i-h618\x00")},
		}, "orangepi-zero3", ""},
		{"another board", fstest.MapFS{
			"proc/device-tree/model":      {Data: []byte("Some Other Board\x00")},
			"proc/device-tree/compatible": {Data: []byte("other,board\x00not-raspberrypi,x\x00")},
		}, Sim, "Some Other Board"},
		{"a desktop", fstest.MapFS{}, Sim, ""},
		{"an empty file", fstest.MapFS{"proc/device-tree/compatible": {}}, Sim, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name, model := Detect(tt.root)
			if name != tt.want || model != tt.model {
				t.Errorf("Detect = %q, %q", name, model)
			}
		})
	}
}

func TestOpenSim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := Open("auto", Config{Root: fstest.MapFS{}, SimLines: -1})
		if err != nil {
			t.Fatal(err)
		}
		if b.Name != Sim || len(b.Ports) != 4 || len(b.Problems) != 0 {
			t.Fatalf("board %+v", b)
		}
		p, ok := b.Port("fxs3")
		if !ok || p.Sim == nil || p.PCM == nil {
			t.Fatalf("port %+v", p)
		}
		if _, ok := b.Port("fxs5"); ok {
			t.Error("a fifth port")
		}
		<-time.After(time.Second)
		if err := p.Phone.Ring(hal.Cadence{Steps: []time.Duration{time.Second, 4 * time.Second}}); err != nil {
			t.Fatal(err)
		}
		if err := p.Sim.WaitRing(t.Context(), 2); err != nil {
			t.Error(err)
		}
		p.Sim.OffHook()
		for e := range p.Phone.Events() {
			if e.Type == hal.OffHook {
				if !e.Answer {
					t.Errorf("event %+v", e)
				}
				break
			}
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if v := p.Sim.Violations(); len(v) != 0 {
			t.Error(v)
		}
		if safe, asleep := p.Sim.Rest(); !safe || !asleep {
			t.Errorf("after Close: safe %v, asleep %v", safe, asleep)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	if _, err := Open("toaster", Config{}); err == nil || !strings.Contains(err.Error(), "auto, beaglebone-black") {
		t.Errorf("Open = %v, want the names", err)
	}
	for _, n := range []int{-1, maxSims + 1} {
		if _, err := Open(Sim, Config{SimPhones: n}); err == nil {
			t.Errorf("%d simulated phones", n)
		}
	}
}

// TestNoHardware opens the Pi's profile on the machine of the tests, whatever it
// is: it must start, and say what it does not have.
func TestNoHardware(t *testing.T) {
	b, err := Open("pi", Config{Root: fstest.MapFS{}})
	if err != nil {
		t.Fatal(err)
	}
	ports := len(b.Ports)
	for _, p := range b.Problems {
		if strings.HasPrefix(p.Port, "fx") {
			ports++
		}
	}
	if ports != 3 {
		t.Errorf("%d ports that work or do not, want 3: %+v", ports, b.Problems)
	}
	for _, p := range b.Problems {
		if p.Reason == "" || p.Err == nil || !strings.Contains(p.Reason, p.Port) {
			t.Errorf("problem %+v", p)
		}
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// bench is a made-up machine: two line chips and a stereo card.
type bench struct {
	*testing.T
	phones [2]*sim.Phone
	pins   map[string]int // line name → phone
	open   []string       // what is open
	fail   map[string]error
	lights map[string]*lamp // by the name that it was opened with
	finger *finger          // at the button
}

// finger is at a button, and is the button's line.
type finger struct {
	mu    sync.Mutex
	down  bool
	edges chan hal.Edge
}

func newFinger() *finger { return &finger{edges: make(chan hal.Edge, 100)} }

func (f *finger) Name() string { return "button" }

func (f *finger) Edges() <-chan hal.Edge { return f.edges }

func (f *finger) Read() (hal.Level, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return hal.Level(!f.down), nil
}

// press presses the button, or lets it go; it bounces.
func (f *finger) press(down bool) {
	for _, level := range []bool{down, !down, down} {
		f.mu.Lock()
		f.down = level
		f.mu.Unlock()
		f.edges <- hal.Edge{Level: hal.Level(!level), At: time.Now()}
		<-time.After(3 * time.Millisecond)
	}
}

// lamp is a light that somebody looks at.
type lamp struct {
	closer
	mu  sync.Mutex
	lit bool
	on  int // times that it was lit
}

func (l *lamp) Name() string { return l.name }

func (l *lamp) Set(level hal.Level) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if level == hal.High && !l.lit {
		l.on++
	}
	l.lit = bool(level)
	return nil
}

// is gives whether it is lit, and how often it was.
func (l *lamp) is() (lit bool, on int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lit, l.on
}

// lamp opens a light.
func (b *bench) lamp(name string) (output, error) {
	c, err := b.take(name)
	if err != nil {
		return nil, err
	}
	b.lights[name] = &lamp{closer: c}
	return b.lights[name], nil
}

// closer takes a name off the list of what is open.
type closer struct {
	b    *bench
	name string
}

func (c closer) Close() error {
	i := slices.Index(c.b.open, c.name)
	if i < 0 {
		c.b.Errorf("%s closed twice", c.name)
		return nil
	}
	c.b.open = slices.Delete(c.b.open, i, i+1)
	return nil
}

func (b *bench) take(name string) (closer, error) {
	if err := b.fail[name]; err != nil {
		return closer{}, err
	}
	b.open = append(b.open, name)
	return closer{b, name}, nil
}

type (
	benchInput struct {
		hal.Input
		closer
	}
	benchOutput struct {
		hal.Output
		closer
	}
	benchDrain struct {
		hal.Drain
		closer
	}
	benchCard struct {
		closer
		b *bench
	}
)

func (c benchCard) PCM(n int) hal.PCM { return c.b.phones[n].PCM() }

func newBench(t *testing.T) *bench {
	b := &bench{T: t, pins: map[string]int{}, fail: map[string]error{}, lights: map[string]*lamp{}, finger: newFinger()}
	for i, p := range aPi(t).Ports {
		b.phones[i] = sim.NewPhone(p.Name)
		t.Cleanup(func() { _ = b.phones[i].Close() })
		for _, n := range p.Pins.each() {
			b.pins[string(n.pin)] = i
		}
	}
	return b
}

func (b *bench) hardware() hardware {
	return hardware{
		input: func(r bus.PinRef) (input, error) {
			c, err := b.take(r.Name)
			return benchInput{b.phones[b.pins[r.Name]].SHK(), c}, err
		},
		led: func(names []string) (output, error) { return b.lamp(names[0]) },
		button: func(r bus.PinRef) (input, error) {
			c, err := b.take(r.Name)
			return benchInput{b.finger, c}, err
		},
		output: func(r bus.PinRef, l hal.Level) (output, error) {
			if _, ok := b.pins[r.Name]; !ok {
				return b.lamp(r.Name)
			}
			c, err := b.take(r.Name)
			far := b.phones[b.pins[r.Name]]
			if r.Offset > 8 { // RM
				if l != hal.Low {
					b.Error("RM is opened high")
				}
				return benchOutput{far.RM(), c}, err
			}
			if l != hal.High {
				b.Error("F/R is opened low")
			}
			return benchOutput{far.FR(), c}, err
		},
		drain: func(r bus.PinRef) (drain, error) {
			c, err := b.take(r.Name)
			return benchDrain{b.phones[b.pins[r.Name]].PD(), c}, err
		},
		card: func(bus.CardConfig) (card, error) {
			c, err := b.take("card")
			if err != nil {
				return nil, err
			}
			return benchCard{c, b}, nil
		},
	}
}

func TestOpenPi(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newBench(t)
		b, err := open(aPi(t), "Pi", testConfig(), m.hardware())
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Ports) != 2 || len(b.Problems) != 0 || len(m.open) != 13 {
			t.Fatalf("%d ports, problems %v, open %v", len(b.Ports), b.Problems, m.open)
		}
		<-time.After(time.Second)
		for i, p := range b.Ports {
			m.phones[i].OffHook()
			if e := <-p.Phone.Events(); e.Type != hal.OffHook {
				t.Errorf("port %s: %+v", p.Name, e)
			}
			if _, err := p.PCM.Read(make([]int16, 160)); err != nil {
				t.Error(err)
			}
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if len(m.open) != 0 {
			t.Errorf("still open: %v", m.open)
		}
	})
}

// TestLifeline: the relay is at rest until the box serves, and again afterwards; a
// board whose relay cannot be driven works all the same.
func TestLifeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := aPi(t)
		p.Lifeline = "GPIO17"
		m := newBench(t)
		b, err := open(p, "Pi", testConfig(), m.hardware())
		if err != nil {
			t.Fatal(err)
		}
		relay := m.lights["GPIO17"]
		for _, on := range []bool{false, true, false, true} {
			if on {
				if err := b.Serving(true); err != nil {
					t.Error(err)
				}
			} else if err := b.Serving(false); err != nil {
				t.Error(err)
			}
			if lit, _ := relay.is(); lit != on {
				t.Errorf("the relay is pulled: %v, want %v", lit, on)
			}
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if lit, _ := relay.is(); lit || len(m.open) != 0 {
			t.Errorf("after the end: pulled %v, open %v", lit, m.open)
		}

		m = newBench(t)
		m.fail["GPIO17"] = bus.ErrNoPin
		if b, err = open(p, "Pi", testConfig(), m.hardware()); err != nil {
			t.Fatal(err)
		}
		if len(b.Ports) != 2 || len(b.Problems) != 1 || b.Problems[0].Port != "lifeline relay" || b.Serving(true) != nil {
			t.Errorf("%d ports, problems %v", len(b.Ports), b.Problems)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestOneDeadChipDoesNotStopTheBox(t *testing.T) {
	busy := errors.New("GPIO5 is used by another program")
	tests := []struct {
		name     string
		fail     map[string]error
		ports    int
		problems []Found
	}{
		{"a pin in use", map[string]error{"GPIO5": busy}, 1, []Found{Failed}},
		{"a pin missing", map[string]error{"GPIO26": bus.ErrNoPin}, 1, []Found{Skipped}},
		{"hook line in use", map[string]error{"GPIO12": busy}, 1, []Found{Failed}},
		{"no card", map[string]error{"card": bus.ErrNoCard}, 0, []Found{Skipped, Skipped}},
		{"no light", map[string]error{"ACT": bus.ErrNoLED}, 2, []Found{Skipped}},
		{"a light in use", map[string]error{"GPIO23": busy}, 2, []Found{Failed}},
		{"no button", map[string]error{"GPIO4": bus.ErrNoPin}, 2, []Found{Skipped}},
		{"nothing", map[string]error{"GPIO16": bus.ErrNoPin, "GPIO25": bus.ErrNoPin}, 0, []Found{Skipped, Skipped}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newBench(t)
				m.fail = tt.fail
				b, err := open(aPi(t), "", testConfig(), m.hardware())
				if err != nil {
					t.Fatal(err)
				}
				var found []Found
				for _, p := range b.Problems {
					if found = append(found, p.Found); !strings.Contains(p.Reason, p.Port) {
						t.Errorf("problem %+v", p)
					}
				}
				if len(b.Ports) != tt.ports || !slices.Equal(found, tt.problems) {
					t.Errorf("%d ports, problems %+v", len(b.Ports), b.Problems)
				}
				if err := b.Close(); err != nil {
					t.Error(err)
				}
				if len(m.open) != 0 {
					t.Errorf("still open: %v", m.open)
				}
			})
		})
	}
}

func testConfig() Config { return Config{Log: slog.New(slog.DiscardHandler)} }
