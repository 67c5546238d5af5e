package board

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"callbox/hal/bus"
)

// Profile is a board as data.
type Profile struct {
	Name  string // for the command line: "pi"
	Title string // for people
	// Compatible are beginnings of the device tree's compatible names.
	Compatible []string
	Cards      []Card
	Ports      []PortProfile
	// OneSupply says that the ports' power supply can ring one phone at a time.
	OneSupply bool
}

// Card is a sound card of a board.
type Card struct {
	Name     string   // by which ports name it
	IDs      []string // the names that the kernel may give it, best first
	Channels int
}

// PortProfile is one phone port.
type PortProfile struct {
	Name   string // "fxs1", stable for the life of the box
	Driver string // key of the driver table
	Pins   Pins
	Card   string // Card.Name
	// Channel is the port's channel on the card, from 0: left, right.
	Channel int
	// RingHz is the ringing frequency when the cadence names none; 0: the driver's.
	RingHz int
}

// Pins are the lines of a line chip.
type Pins struct{ RM, FR, SHK, PD bus.PinRef }

// Sim is the name of the simulated board.
const Sim = "sim"

// Drivers of the table in drivers.go.
const (
	ag1171  = "ag1171"
	simFXS  = "sim-fxs"
	maxSims = 32
)

// Profiles are the boards that the box knows, without the simulated one. The
// result is the caller's to change.
func Profiles() []Profile {
	return []Profile{{
		Name:       "pi",
		Title:      "Raspberry Pi with one or two Ag1171 line chips and a codec HAT",
		Compatible: []string{"raspberrypi,"},
		Cards: []Card{{
			Name: "codec",
			// Raspberry Pi Codec Zero, its forerunner, and the WM8960 HATs.
			IDs:      []string{"Zero", "IQaudIOCODEC", "wm8960soundcard"},
			Channels: 2,
		}},
		OneSupply: true,
		// The plan keeps off the pins of the codec HATs, the EEPROM and the console.
		// RM and PD are pulled down at power-on, F/R is pulled up: at rest.
		Ports: []PortProfile{
			{Name: "fxs1", Driver: ag1171, Pins: piPins(16, 5, 12, 13), Card: "codec", Channel: 0},
			{Name: "fxs2", Driver: ag1171, Pins: piPins(25, 6, 22, 26), Card: "codec", Channel: 1},
		},
	}}
}

// piPins names lines by their BCM numbers, as the header's names do.
func piPins(rm, fr, shk, pd int) Pins {
	pin := func(n int) bus.PinRef {
		return bus.PinRef{Name: "GPIO" + strconv.Itoa(n), Chip: "pinctrl-bcm2835", Offset: n}
	}
	return Pins{RM: pin(rm), FR: pin(fr), SHK: pin(shk), PD: pin(pd)}
}

// simProfile is a board with n simulated phones.
func simProfile(n int) Profile {
	p := Profile{Name: Sim, Title: "simulated board"}
	for i := range n {
		p.Ports = append(p.Ports, PortProfile{Name: "fxs" + strconv.Itoa(i+1), Driver: simFXS})
	}
	return p
}

// Validate reports the first thing that is wrong with p: names used twice, pins
// used twice, unknown drivers and cards.
func (p Profile) Validate() error {
	if p.Name == "" {
		return errors.New("a board without a name")
	}
	cards := map[string]int{}
	for _, c := range p.Cards {
		if c.Name == "" || len(c.IDs) == 0 || c.Channels < 1 || cards[c.Name] > 0 {
			return fmt.Errorf("board %s: card %q: want a name of its own, IDs and channels", p.Name, c.Name)
		}
		cards[c.Name] = c.Channels
	}
	used := map[string]string{}
	use := func(what, by string) error {
		if other, ok := used[what]; ok {
			return fmt.Errorf("board %s: %s is used by %s and %s", p.Name, what, other, by)
		}
		used[what] = by
		return nil
	}
	for _, port := range p.Ports {
		if _, ok := drivers()[port.Driver]; !ok || port.Name == "" {
			return fmt.Errorf("board %s: port %q: no driver %q", p.Name, port.Name, port.Driver)
		}
		if err := use("the name "+port.Name, "a port"); err != nil {
			return err
		}
		if port.Driver == simFXS {
			continue
		}
		if port.Channel < 0 || port.Channel >= cards[port.Card] {
			return fmt.Errorf("board %s: port %s: no channel %d on card %q", p.Name, port.Name, port.Channel, port.Card)
		}
		if err := use(fmt.Sprintf("channel %d of %s", port.Channel, port.Card), port.Name); err != nil {
			return err
		}
		for _, pin := range []bus.PinRef{port.Pins.RM, port.Pins.FR, port.Pins.SHK, port.Pins.PD} {
			if err := use(pin.String(), port.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// Names are the values that Open takes, sorted, "auto" first.
func Names() []string {
	names := []string{Sim}
	for _, p := range Profiles() {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return append([]string{"auto"}, names...)
}

// byName finds a profile; sims is the number of simulated phones.
func byName(name string, sims int) (Profile, error) {
	if name == Sim {
		return simProfile(sims), nil
	}
	for _, p := range Profiles() {
		if p.Name == name {
			return p, nil
		}
	}
	return Profile{}, fmt.Errorf("no board %q: want one of %s", name, strings.Join(Names(), ", "))
}
