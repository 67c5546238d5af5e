package board

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"callbox/hal"
	"callbox/hal/gsm"
	"callbox/hal/sim"
	"callbox/hal/slic"
	"callbox/hal/vmodem"
)

// Config is what Open needs besides the name. The zero value is right for the
// machine the program runs on.
type Config struct {
	// Root is the machine's file tree; nil is "/".
	Root fs.FS
	// SimPhones is the number of phones of the simulated board, 1…32; 0 is 4.
	SimPhones int
	// SimModems is the number of its modems, 0…8; each is of another make.
	SimModems int
	// USB is the file tree ("/") in which modems are looked for, unless there are
	// simulated ones; empty: there are no modems.
	USB string
	// Profiles are boards that a user has described, see Parse.
	Profiles []Profile
	// SimLines is the number of exchange lines of the simulated board, 0…32; 0 is 2,
	// negative none.
	SimLines int
	// Trace gets what passes between the box and a modem, by port, from the drivers'
	// goroutines: it must not block. nil: nobody.
	Trace func(at time.Time, port, transport string, sent bool, text string)
	Log   *slog.Logger // nil: none
}

// Board is an open board. Its fields do not change after Open.
type Board struct {
	Name     string // the profile's
	Title    string // for people
	Model    string // what the machine calls itself, may be empty
	Ports    []Port // those that work, in the profile's order
	Problems []Problem
	Lights   *Lights
	// Modems finds the modems of the ports; nil when there are none.
	Modems *gsm.Hub
	// Watchdog is the path of its hardware watchdog; empty: none.
	Watchdog string

	button   hal.Input // nil: none
	lifeline output    // nil: none
	cards    []io.Closer
}

// Port is one port that works: of a phone, of an exchange line, or a slot for a modem.
type Port struct {
	Name string // "fxs1"
	// Phone or Exchange is what it is for: an analogue phone, or an exchange line.
	Phone    hal.Phone
	Exchange hal.Exchange
	PCM      hal.PCM
	// GSM is a slot for a modem, whether there is one or not; Phone is nil then.
	GSM *gsm.Port
	// Place is where the modem of a slot is, if that is fixed.
	Place string
	// Sim is the phone on a simulated port, nil on a real one. Far is the same as
	// what all far sides are: faults, and mostly a sim.Person.
	Sim *sim.Phone
	Far sim.Faulty
	// Desk is who is at the far end of a simulated exchange line, nil elsewhere.
	Desk *sim.LineDesk

	localise func(country string, way vmodem.CallerID)
	closers  []io.Closer // in the order of opening
}

// Localise sets an exchange line port up for the exchanges of a country.
func (p *Port) Localise(country string, way vmodem.CallerID) {
	if p.localise != nil {
		p.localise(country, way)
	}
}

// Found is what a driver found out about a port that does not work.
type Found string

const (
	Skipped Found = "skipped" // the hardware is not there
	Failed  Found = "failed"  // it is there and does not work
)

// Problem is a port, or another part, that does not work.
type Problem struct {
	Port   string // or "button", "light system", "light fxs1"
	Found  Found
	Reason string // one sentence
	Err    error
}

// Open opens a board by name; "auto" or empty detects it. Ports that do not work
// become Problems; the error is only for a name or a profile that cannot be.
func Open(name string, c Config) (*Board, error) {
	if c.Root == nil {
		c.Root = os.DirFS("/")
	}
	if c.SimPhones == 0 {
		c.SimPhones = 4
	}
	if c.SimPhones < 1 || c.SimPhones > maxSims {
		return nil, fmt.Errorf("%d simulated phones: want 1 to %d", c.SimPhones, maxSims)
	}
	if c.SimLines == 0 {
		c.SimLines = 2
	}
	if c.SimLines > maxSims {
		return nil, fmt.Errorf("%d simulated exchange lines: want at most %d", c.SimLines, maxSims)
	}
	if c.Trace == nil {
		c.Trace = func(time.Time, string, string, bool, string) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	detected, model := Detect(c.Root, c.Profiles...)
	if name == "" || name == "auto" {
		name = detected
	}
	p, err := byName(name, c.Profiles, c.SimPhones, max(c.SimLines, 0))
	if err != nil {
		return nil, err
	}
	return open(withVoiceModems(p, realHardware()), model, c, realHardware())
}

// open opens a profile on hw.
func open(p Profile, model string, c Config, hw hardware) (*Board, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	b := &Board{Name: p.Name, Title: p.Title, Model: model, Lights: newLights(c.Log)}
	o := &opener{config: c, hardware: hw, cards: map[string]cardResult{}, profile: p}
	if p.OneSupply {
		o.supply = &slic.Supply{}
	}
	for _, pp := range p.Ports {
		port := Port{Name: pp.Name}
		if err := drivers()[pp.Driver](o, pp, &port); err != nil {
			err = errors.Join(err, port.close())
			b.Problems = append(b.Problems, problem(pp.Name, err))
			c.Log.Warn("port does not work", "port", pp.Name, "err", err)
			continue
		}
		b.Ports = append(b.Ports, port)
	}
	for _, r := range o.cards {
		if r.card != nil {
			b.cards = append(b.cards, r.card)
		}
	}
	b.openPanel(o)
	if err := b.openModems(o); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// openPanel opens what people see and touch: lights and button.
func (b *Board) openPanel(o *opener) {
	p := o.profile
	lights := map[string]LED{SystemLight: p.LED}
	for _, port := range p.Ports {
		lights[port.Name] = port.LED
	}
	for _, name := range slices.Sorted(maps.Keys(lights)) {
		out, err := o.light(lights[name])
		if err != nil {
			b.Problems = append(b.Problems, problem("light "+name, err))
		} else if out != nil {
			b.Lights.add(name, out)
		}
	}
	if p.Button != "" {
		in, err := o.hardware.button(p.ref(p.Button))
		if err != nil {
			b.Problems = append(b.Problems, problem("button", err))
		} else {
			b.button = in
			b.cards = append(b.cards, in)
		}
	}
	if p.Lifeline != "" {
		out, err := o.hardware.output(p.ref(p.Lifeline), hal.Low)
		if err != nil {
			b.Problems = append(b.Problems, problem("lifeline relay", err))
		} else {
			b.lifeline = out
		}
	}
	if p.Watchdog != "" {
		b.Watchdog = "/dev/" + p.Watchdog
	}
}

// Serving pulls the lifeline relay, which takes the phone off the exchange line, or
// lets it go. A board without one does nothing. Close lets it go too, and so does a
// loss of power; after a crash the line stays as it was until the watchdog resets the
// board.
func (b *Board) Serving(on bool) error {
	if b.lifeline == nil {
		return nil
	}
	return b.lifeline.Set(hal.Level(on))
}

// Pressed tells of the reset button until ctx ends; a board without one never does.
// tell must not block.
func (b *Board) Pressed(ctx context.Context, tell func(Press)) error {
	if b.button != nil {
		watchButton(ctx, b.button, tell)
	}
	<-ctx.Done()
	return nil
}

func problem(part string, err error) Problem {
	p := Problem{Port: part, Found: Failed, Err: err, Reason: fmt.Sprintf("%s does not work: %v", part, err)}
	if missing(err) {
		p.Found = Skipped
		p.Reason = fmt.Sprintf("%s is not fitted: %v", part, err)
	}
	return p
}

// Port finds a port by name.
func (b *Board) Port(name string) (Port, bool) {
	i := slices.IndexFunc(b.Ports, func(p Port) bool { return p.Name == name })
	if i < 0 {
		return Port{}, false
	}
	return b.Ports[i], true
}

// Close closes the ports, each left safe and asleep, then the cards.
func (b *Board) Close() error {
	var errs []error
	if b.Modems != nil {
		errs = append(errs, b.Modems.Close())
	}
	for _, p := range b.Ports {
		errs = append(errs, p.close())
	}
	if b.lifeline != nil {
		errs = append(errs, b.lifeline.Set(hal.Low), b.lifeline.Close())
	}
	errs = append(errs, b.Lights.close()...)
	for _, c := range b.cards {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// close closes what the port's driver opened, last one first.
func (p *Port) close() error {
	var errs []error
	for _, c := range slices.Backward(p.closers) {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
