package board

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"callbox/hal"
	"callbox/hal/bus"
	"callbox/hal/sim"
	"callbox/hal/slic"
)

// driver opens one port. What it opens is closed by the port's closers, last
// one first, also when it fails.
type driver func(o *opener, p PortProfile, port *Port) error

// drivers is the table of all drivers.
func drivers() map[string]driver {
	return map[string]driver{
		ag1171: openAg1171,
		simFXS: openSim,
		voice:  openVoice,
		simFXO: openSimLine,
	}
}

// driverNames are the keys of the table that a profile may name, sorted.
func driverNames() []string {
	names := slices.Sorted(maps.Keys(drivers()))
	return slices.DeleteFunc(names, func(n string) bool { return n == simFXS || n == simFXO })
}

// opener opens what the drivers need; hardware is how, tests replace it.
type opener struct {
	config   Config
	hardware hardware
	supply   *slic.Supply // nil: each port rings when it wants
	cards    map[string]cardResult
	profile  Profile
	lastLine *sim.Exchange // a simulated line that has no other to call yet
}

// hardware opens pins and cards.
type hardware struct {
	input  func(bus.PinRef) (input, error)
	output func(bus.PinRef, hal.Level) (output, error)
	drain  func(bus.PinRef) (drain, error)
	card   func(bus.CardConfig) (card, error)
	button func(bus.PinRef) (input, error)
	led    func(names []string) (output, error)
	ttys   func() ([]hal.TTY, error)
	serial func(path string) (io.ReadWriteCloser, error)
}

type (
	input interface {
		hal.Input
		io.Closer
	}
	output interface {
		hal.Output
		io.Closer
	}
	drain interface {
		hal.Drain
		io.Closer
	}
	card interface {
		PCM(channel int) hal.PCM
		io.Closer
	}
	// cardResult is a card, or why there is none.
	cardResult struct {
		card card
		err  error
	}
)

// busCard is a card of hal/bus.
type busCard struct{ *bus.Card }

func (c busCard) PCM(channel int) hal.PCM { return c.Channels()[channel] }

// realHardware opens what is on this machine.
func realHardware() hardware {
	return hardware{
		input:  func(r bus.PinRef) (input, error) { return as[input](bus.OpenInput(r)) },
		output: func(r bus.PinRef, l hal.Level) (output, error) { return as[output](bus.OpenOutput(r, l)) },
		drain:  func(r bus.PinRef) (drain, error) { return as[drain](bus.OpenDrain(r)) },
		card: func(c bus.CardConfig) (card, error) {
			opened, err := bus.OpenCard(c)
			if err != nil {
				return nil, err
			}
			return busCard{opened}, nil
		},
		button: func(r bus.PinRef) (input, error) { return as[input](bus.OpenButton(r)) },
		led:    func(names []string) (output, error) { return as[output](bus.OpenLED(bus.LEDDir, names)) },
		ttys:   func() ([]hal.TTY, error) { return bus.USBTTYs("/") },
		serial: func(path string) (io.ReadWriteCloser, error) {
			s, err := bus.OpenSerial(bus.SerialConfig{Path: path})
			if err != nil {
				return nil, err
			}
			return s, nil
		},
	}
}

// as gives v as an I, which it implements, and no typed nil on an error.
func as[I any, T any](v T, err error) (I, error) {
	i, ok := any(v).(I)
	if err != nil || !ok {
		var none I
		return none, err
	}
	return i, nil
}

// openAg1171 opens a line chip with its codec channel. The outputs come first,
// at rest, so that nothing rings while the rest is looked for.
func openAg1171(o *opener, p PortProfile, port *Port) error {
	rm, err := o.hardware.output(o.profile.ref(p.Pins.RM), hal.Low)
	if err != nil {
		return fmt.Errorf("ring mode line: %w", err)
	}
	port.closers = append(port.closers, rm)
	fr, err := o.hardware.output(o.profile.ref(p.Pins.FR), hal.High)
	if err != nil {
		return fmt.Errorf("forward/reverse line: %w", err)
	}
	port.closers = append(port.closers, fr)
	pd, err := o.hardware.drain(o.profile.ref(p.Pins.PD))
	if err != nil {
		return fmt.Errorf("power down line: %w", err)
	}
	port.closers = append(port.closers, pd)
	shk, err := o.hardware.input(o.profile.ref(p.Pins.SHK))
	if err != nil {
		return fmt.Errorf("switch hook line: %w", err)
	}
	port.closers = append(port.closers, shk)
	sound, err := o.card(p.Card)
	if err != nil {
		return err
	}
	d, err := slic.Open(slic.Pins{SHK: shk, RM: rm, FR: fr, PD: pd}, slic.Config{
		Hz: p.RingHz, Supply: o.supply, Log: o.config.Log.With("port", p.Name),
	})
	if err != nil {
		return err
	}
	port.closers = append(port.closers, d)
	port.Phone, port.PCM = d, sound.PCM(p.Channel)
	return nil
}

// simEcho is what comes back of what a simulated phone is told, in dB below it:
// between the best and the worst that the data sheet of the Ag1171 promises.
const simEcho = 16

// openSim opens a simulated phone on the driver of the Ag1171.
func openSim(o *opener, p PortProfile, port *Port) error {
	far := sim.NewPhone(p.Name)
	far.SetFaults(sim.Faults{EchoLoss: simEcho})
	port.closers = append(port.closers, far)
	d, err := slic.Open(slic.Pins{SHK: far.SHK(), RM: far.RM(), FR: far.FR(), PD: far.PD()}, slic.Config{
		Hz: p.RingHz, Supply: o.supply, Log: o.config.Log.With("port", p.Name),
	})
	if err != nil {
		return err
	}
	port.closers = append(port.closers, d)
	port.Phone, port.PCM, port.Sim, port.Far = d, far.PCM(), far, far
	return nil
}

// card opens a sound card once for all its ports.
func (o *opener) card(name string) (card, error) {
	if r, ok := o.cards[name]; ok {
		return r.card, r.err
	}
	r := cardResult{err: fmt.Errorf("board %s has no card %q", o.profile.Name, name)}
	for _, c := range o.profile.Cards {
		if c.Name == name {
			r.card, r.err = o.hardware.card(bus.CardConfig{IDs: c.IDs, Channels: c.Channels, Levels: c.Levels, Log: o.config.Log})
		}
	}
	o.cards[name] = r
	return r.card, r.err
}

// light opens a light; nil when the board has none there.
func (o *opener) light(l LED) (output, error) {
	switch {
	case l.Pin != "":
		return o.hardware.output(o.profile.ref(l.Pin), hal.Low)
	case len(l.Names) > 0:
		return o.hardware.led(l.Names)
	}
	return nil, nil
}

// missing reports whether err says that the hardware is not there, rather than
// broken or in use.
func missing(err error) bool {
	return errors.Is(err, bus.ErrNoPin) || errors.Is(err, bus.ErrNoCard) || errors.Is(err, bus.ErrNoLED) || errors.Is(err, errNoModem)
}
