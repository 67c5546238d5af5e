package board

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"callbox/hal/bus"
)

// Profile is a board as data: what sits where. Its YAML form is described in
// load.go.
type Profile struct {
	Name  string `yaml:"name"`  // for the command line: "pi4"
	Title string `yaml:"title"` // for people
	// Like names the built-in board whose values hold where this one says nothing.
	Like string `yaml:"like,omitempty"`
	// Compatible are beginnings of the device tree's compatible names.
	Compatible []string `yaml:"compatible,omitempty"`
	// Chip is the label of the GPIO chip on which a named line, as "GPIO16", has its
	// number when the kernel does not know the name.
	Chip string `yaml:"chip,omitempty"`
	// HighAtPowerOn are lines that are pulled up from power-on until the box starts.
	HighAtPowerOn []Pin         `yaml:"high_at_power_on,omitempty"`
	Cards         []Card        `yaml:"cards,omitempty"`
	Ports         []PortProfile `yaml:"ports,omitempty"`
	// Modems are the lines that switch modems.
	Modems []ModemProfile `yaml:"modems,omitempty"`
	// OneSupply says that the ports' power supply can ring one phone at a time.
	OneSupply bool `yaml:"one_supply,omitempty"`
	LED       LED  `yaml:"led,omitempty"`    // the box's own
	Button    Pin  `yaml:"button,omitempty"` // the reset button, which pulls the line low
	// Lifeline drives a relay that, at rest, joins the first phone and the exchange
	// line: it is pulled while the line is high, which is while the box serves calls.
	Lifeline Pin    `yaml:"lifeline,omitempty"`
	Watchdog string `yaml:"watchdog,omitempty"` // "watchdog0", below /dev
	Header   Header `yaml:"header,omitempty"`   // for wiring drawings
}

// Pin is a GPIO line: by name, "GPIO16", or by chip label and number,
// "gpio-64-95:2". Empty is none.
type Pin string

// Card is a sound card of a board.
type Card struct {
	Name     string   `yaml:"name"` // by which ports name it
	IDs      []string `yaml:"ids"`  // the names that the kernel may give it, best first
	Channels int      `yaml:"channels"`
	Part     string   `yaml:"part,omitempty"` // what to buy, for people
	// Levels are controls of its mixer ("Headphone", "Mic") and what they are set to,
	// in percent of their range; of switches 0 is off.
	Levels map[string]int `yaml:"levels,omitempty"`
}

// PortProfile is one port.
type PortProfile struct {
	Name   string `yaml:"name"`   // "fxs1", "fxo1", stable for the life of the box
	Driver string `yaml:"driver"` // key of the driver table
	Pins   Pins   `yaml:"pins,omitempty"`
	Card   string `yaml:"card,omitempty"` // Card.Name
	// Channel is the port's channel on the card, from 0: left, right.
	Channel int `yaml:"channel,omitempty"`
	// RingHz is the ringing frequency when the cadence names none; 0: the driver's.
	RingHz int `yaml:"ring_hz,omitempty"`
	// Modem is which of the voice modems on USB it is, by their places, from 0.
	Modem int `yaml:"modem,omitempty"`
	LED   LED `yaml:"led,omitempty"`
}

// ModemProfile is how the modem of a slot is switched by wires, each through a transistor
// that pulls the modem's line while the box's is high. Both lines must be low from
// power-on. Without them its modem's USB port is switched, where that can be.
type ModemProfile struct {
	Port     string `yaml:"port"`             // "gsm1"
	PowerKey Pin    `yaml:"pwrkey,omitempty"` // PWRKEY: held for some seconds it switches the modem off or on
	Reset    Pin    `yaml:"reset,omitempty"`  // RESET_N
}

// Pins are the lines of a line chip.
type Pins struct {
	RM  Pin `yaml:"rm"`
	FR  Pin `yaml:"fr"`
	SHK Pin `yaml:"shk"`
	PD  Pin `yaml:"pd"`
}

// each gives the lines with their names in a profile.
func (p Pins) each() []namedPin {
	return []namedPin{{"rm", p.RM}, {"fr", p.FR}, {"shk", p.SHK}, {"pd", p.PD}}
}

type namedPin struct {
	name string
	pin  Pin
}

// LED is a light: one that the kernel has, the first of Names that is there, or one
// on a line. Neither is none.
type LED struct {
	Names []string `yaml:"names,omitempty"` // below /sys/class/leds
	Pin   Pin      `yaml:"pin,omitempty"`   // high: lit
}

// Header is a board's pin header.
type Header struct {
	Name string      `yaml:"name,omitempty"`
	Pins int         `yaml:"pins,omitempty"` // two rows: odd and even numbers
	At   map[Pin]int `yaml:"at,omitempty"`   // positions, from 1; also of "3V3" and "GND"
	// Labels are what people call lines whose reference is not a name.
	Labels map[Pin]string `yaml:"labels,omitempty"`
	Supply string         `yaml:"supply,omitempty"` // where 3.3 V is, if not on this header
}

// Sim is the name of the simulated board.
const Sim = "sim"

// Drivers of the table in drivers.go.
const (
	ag1171  = "ag1171"
	simFXS  = "sim-fxs"
	voice   = "vmodem"
	simFXO  = "sim-fxo"
	maxSims = 32
)

// simProfile is a board with n simulated phones and so many exchange lines.
func simProfile(n, lines int) Profile {
	p := Profile{Name: Sim, Title: "simulated board"}
	for i := range n {
		p.Ports = append(p.Ports, PortProfile{Name: "fxs" + strconv.Itoa(i+1), Driver: simFXS})
	}
	for i := range lines {
		p.Ports = append(p.Ports, PortProfile{Name: "fxo" + strconv.Itoa(i+1), Driver: simFXO, Modem: i})
	}
	return p
}

// ref is the line as the bus wants it.
func (p Profile) ref(pin Pin) bus.PinRef {
	if chip, n, ok := strings.Cut(string(pin), ":"); ok {
		offset, _ := strconv.Atoi(n) // Validate has looked
		return bus.PinRef{Chip: chip, Offset: offset}
	}
	r := bus.PinRef{Name: string(pin)}
	digits := strings.TrimLeft(string(pin), "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	if n, err := strconv.Atoi(digits); err == nil && p.Chip != "" {
		r.Chip, r.Offset = p.Chip, n
	}
	return r
}

// check reports what is wrong with a line's reference.
func (pin Pin) check() error {
	chip, n, ok := strings.Cut(string(pin), ":")
	if !ok {
		if pin == "" || strings.ContainsAny(string(pin), " \t\n") {
			return fmt.Errorf("%q is no line: write its name, as GPIO16, or chip:number", string(pin))
		}
		return nil
	}
	if offset, err := strconv.Atoi(n); chip == "" || err != nil || offset < 0 || offset > 1023 {
		return fmt.Errorf("%q is no line: the number behind the chip's label is from 0 to 1023", string(pin))
	}
	return nil
}

// Validate reports the first thing that is wrong with p, in a sentence: names, lines
// and channels used twice, unknown drivers and cards, lines that would ring a phone
// while the box starts.
func (p Profile) Validate() error {
	v := validation{p: p, cards: map[string]int{}, used: map[string]string{}}
	for _, step := range []func() error{v.names, v.sounds, v.ports, v.modems, v.rest} {
		if err := step(); err != nil {
			return fmt.Errorf("board %s: %w", p.Name, err)
		}
	}
	return nil
}

type validation struct {
	p     Profile
	cards map[string]int    // channels by name
	used  map[string]string // by whom
}

// use notes that by uses what, which is for one only.
func (v *validation) use(what, by string) error {
	if other, ok := v.used[what]; ok {
		return fmt.Errorf("%s is used by %s and by %s: give one of them another", what, other, by)
	}
	v.used[what] = by
	return nil
}

// line notes that by uses a line.
func (v *validation) line(pin Pin, by string) error {
	if err := pin.check(); err != nil {
		return fmt.Errorf("%s: %w", by, err)
	}
	return v.use("the line "+string(pin), by)
}

func (v *validation) names() error {
	switch {
	case v.p.Name == "":
		return errors.New("it has no name")
	case strings.Trim(v.p.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return errors.New("its name may have small letters, digits and hyphens")
	case v.p.Name == "auto":
		return errors.New(`"auto" is not for a board: it means the one that is found`)
	}
	return nil
}

func (v *validation) sounds() error {
	for _, c := range v.p.Cards {
		switch {
		case c.Name == "" || v.cards[c.Name] > 0:
			return fmt.Errorf("card %q: each card needs a name of its own", c.Name)
		case len(c.IDs) == 0:
			return fmt.Errorf("card %s: ids must list the names that the kernel gives it, see /proc/asound/cards", c.Name)
		case c.Channels < 1 || c.Channels > 8:
			return fmt.Errorf("card %s has %d channels: 1 to 8 are possible", c.Name, c.Channels)
		}
		for control, percent := range c.Levels {
			if control == "" || percent < 0 || percent > 100 {
				return fmt.Errorf("card %s: level %q is %d: 0 to 100 percent are possible", c.Name, control, percent)
			}
		}
		v.cards[c.Name] = c.Channels
	}
	return nil
}

func (v *validation) ports() error {
	for _, port := range v.p.Ports {
		if port.Name == "" {
			return errors.New("a port has no name")
		}
		if _, ok := drivers()[port.Driver]; !ok {
			return fmt.Errorf("port %s: there is no driver %q, only %s", port.Name, port.Driver, strings.Join(driverNames(), ", "))
		}
		if err := v.use("the name "+port.Name, "a port"); err != nil {
			return err
		}
		if err := v.port(port); err != nil {
			return err
		}
	}
	if v.p.Button != "" {
		if err := v.line(v.p.Button, "the button"); err != nil {
			return err
		}
	}
	if v.p.Lifeline != "" {
		if err := v.line(v.p.Lifeline, "the lifeline relay"); err != nil {
			return err
		}
		if slices.Contains(v.p.HighAtPowerOn, v.p.Lifeline) {
			return fmt.Errorf("the lifeline relay is on %s, which is high from power-on: choose a line that is low until the box serves", v.p.Lifeline)
		}
	}
	if v.p.LED.Pin != "" {
		return v.line(v.p.LED.Pin, "the box's LED")
	}
	return nil
}

// modems checks the lines that switch modems.
func (v *validation) modems() error {
	for _, m := range v.p.Modems {
		if !isSlot(m.Port) {
			return fmt.Errorf("modems: there is no slot %q for a modem, only gsm1 to gsm%d", m.Port, modemSlots)
		}
		if err := v.use("the slot "+m.Port, "modems"); err != nil {
			return err
		}
		for _, n := range []namedPin{{"pwrkey", m.PowerKey}, {"reset", m.Reset}} {
			if n.pin == "" {
				continue
			}
			if err := v.line(n.pin, m.Port+"'s "+n.name); err != nil {
				return err
			}
			if slices.Contains(v.p.HighAtPowerOn, n.pin) {
				return fmt.Errorf("modem %s: %s is on %s, which is high from power-on and would hold the modem's key until the box starts: take a line that is not in high_at_power_on", m.Port, n.name, n.pin)
			}
		}
	}
	return nil
}

// isSlot reports whether a name is that of a slot for a modem.
func isSlot(name string) bool {
	for i := range modemSlots {
		if name == "gsm"+strconv.Itoa(i+1) {
			return true
		}
	}
	return false
}

// port checks one port's lines and sound.
func (v *validation) port(port PortProfile) error {
	if port.LED.Pin != "" {
		if err := v.line(port.LED.Pin, "the LED of "+port.Name); err != nil {
			return err
		}
	}
	switch port.Driver {
	case simFXS:
		return nil
	case simFXO, voice:
		if port.Modem < 0 || port.Modem >= maxSims {
			return fmt.Errorf("port %s: voice modem %d: 0 to %d are possible", port.Name, port.Modem, maxSims-1)
		}
		return v.use(fmt.Sprintf("voice modem %d", port.Modem), port.Name)
	}
	if channels, ok := v.cards[port.Card]; !ok {
		return fmt.Errorf("port %s: the board has no card %q", port.Name, port.Card)
	} else if port.Channel < 0 || port.Channel >= channels {
		return fmt.Errorf("port %s: card %s has the channels 0 to %d, and no %d", port.Name, port.Card, channels-1, port.Channel)
	}
	if err := v.use(fmt.Sprintf("channel %d of %s", port.Channel, port.Card), port.Name); err != nil {
		return err
	}
	if port.RingHz != 0 && (port.RingHz < 16 || port.RingHz > 60) {
		return fmt.Errorf("port %s: it cannot ring at %d Hz: 16 to 60 are possible", port.Name, port.RingHz)
	}
	for _, n := range port.Pins.each() {
		if err := v.line(n.pin, port.Name+"'s "+n.name); err != nil {
			return err
		}
	}
	return nil
}

// rest checks that nothing rings or wakes between power-on and the start.
func (v *validation) rest() error {
	for _, port := range v.p.Ports {
		for _, n := range []namedPin{{"rm", port.Pins.RM}, {"pd", port.Pins.PD}} {
			if n.pin != "" && slices.Contains(v.p.HighAtPowerOn, n.pin) {
				return fmt.Errorf("port %s: %s is on %s, which is high from power-on until the box starts and would hold the line chip in ringing or awake: take a line that is not in high_at_power_on", port.Name, n.name, n.pin)
			}
		}
	}
	return nil
}
