package board

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"callbox/hal"
	"callbox/hal/bus"
	"callbox/hal/gsm"
	"callbox/hal/sim/cell"
)

// modemSlots is how many modems a box serves: as many as one powered hub has.
const modemSlots = 4

// usb finds the serial devices of USB devices below a file tree.
type usb struct{ root string }

// TTYs implements [gsm.Bus].
func (u usb) TTYs() ([]hal.TTY, error) { return bus.USBTTYs(u.root) }

// OpenPort implements [gsm.Bus].
func (u usb) OpenPort(path string) (io.ReadWriteCloser, error) {
	return as[io.ReadWriteCloser](bus.OpenSerial(bus.SerialConfig{Path: path}))
}

// OpenCard implements [gsm.Cards].
func (u usb) OpenCard(place string) (hal.PCM, error) {
	id, err := bus.USBCard(u.root, place)
	if err != nil {
		return nil, err
	}
	card, err := bus.OpenCard(bus.CardConfig{IDs: []string{id}, Channels: 1})
	if err != nil {
		return nil, err
	}
	return modemCard{card.Channels()[0], card}, nil
}

// modemCard is the one channel of a modem's sound card.
type modemCard struct {
	hal.PCM
	card io.Closer
}

// Close closes the card with its channel.
func (c modemCard) Close() error { return errors.Join(c.PCM.Close(), c.card.Close()) }

// powerOff is how long a modem is without power, so that its capacitors are empty.
const powerOff = 5 * time.Second

// CyclePower implements [gsm.Powers].
func (u usb) CyclePower(ctx context.Context, place string, vendor uint16) error {
	return bus.CycleUSB(ctx, u.root, place, vendor, powerOff)
}

// DisksOf implements [gsm.Disks].
func (u usb) DisksOf(vendor uint16) (map[string]uint16, error) { return bus.USBDisks(u.root, vendor) }

// OpenStream implements [gsm.Bus].
func (u usb) OpenStream(path string) (hal.Stream, error) { return as[hal.Stream](bus.OpenTTY(path)) }

// openModems makes the slots of modems, which look for theirs from now on.
func (b *Board) openModems(o *opener) error {
	c := o.config
	root, slots := c.USB, modemSlots
	var sims []*cell.Modem
	if b.Name == Sim && c.SimModems > 0 {
		tree, modems, err := simModems(c.SimModems)
		if err != nil {
			return err
		}
		b.cards = append(b.cards, closeFunc(func() error { return closeSims(tree, modems) }))
		root, slots, sims = tree.Root, len(modems), modems
	}
	if root == "" {
		return nil
	}
	b.Modems = gsm.NewHub(usb{root}, c.Log)
	for i := range slots {
		name := "gsm" + strconv.Itoa(i+1)
		cfg := gsm.Config{Name: name, Log: c.Log.With("port", name)}
		port := Port{Name: name}
		if sims != nil {
			port.Place, port.Far = simPlace(i), sims[i]
			cfg.Place = port.Place
		}
		cfg.Key = b.openKey(o, name)
		port.GSM = b.Modems.Port(cfg)
		port.PCM = port.GSM.Sound()
		b.Ports = append(b.Ports, port)
	}
	return nil
}

// openKey takes the lines that switch the modem of a slot. One that cannot be had is a
// problem, and the modem works without it.
func (b *Board) openKey(o *opener, slot string) gsm.Key {
	var key gsm.Key
	i := slices.IndexFunc(o.profile.Modems, func(m ModemProfile) bool { return m.Port == slot })
	if i < 0 {
		return key
	}
	m := o.profile.Modems[i]
	for _, l := range []struct {
		pin  Pin
		name string
		out  *hal.Output
	}{{m.PowerKey, "power key", &key.Power}, {m.Reset, "reset line", &key.Reset}} {
		if l.pin == "" {
			continue
		}
		out, err := o.hardware.output(o.profile.ref(l.pin), hal.Low)
		if err != nil {
			b.Problems = append(b.Problems, problem(l.name+" of "+slot, err))
			continue
		}
		*l.out = out
		b.cards = append(b.cards, out)
	}
	return key
}

// closeFunc is an io.Closer.
type closeFunc func() error

func (f closeFunc) Close() error { return f() }

// simPlace is where a simulated modem is plugged in.
func simPlace(i int) string { return "1-1." + strconv.Itoa(i+1) }

// simModems are modems of different makes on a bus of pseudo terminals. Their SIMs
// can call each other, and any other number reaches a person.
func simModems(n int) (*cell.Tree, []*cell.Modem, error) {
	dir, err := os.MkdirTemp("", "callbox-usb-")
	if err != nil {
		return nil, nil, fmt.Errorf("make the simulated USB bus: %w", err)
	}
	tree, err := cell.NewTree(dir)
	if err != nil {
		return nil, nil, err
	}
	network := cell.NewNetwork()
	families := []cell.Family{cell.EC25, cell.SIM7600, cell.E1550}
	var modems []*cell.Modem
	for i := range n {
		m := cell.NewModem(network, cell.Config{
			Family: families[i%len(families)], IMEI: fmt.Sprintf("8600000000000%02d", i+1),
			Number: fmt.Sprintf("+141555501%02d", 80+i), Caller: fmt.Sprintf("+141555501%02d", 90+i),
			Card: cell.Card{IMSI: fmt.Sprintf("3102600000000%02d", i+1), ICCID: fmt.Sprintf("89012600000000000%02d", i+1)},
		})
		modems = append(modems, m)
		if err := tree.Plug(m, simPlace(i)); err != nil {
			_ = closeSims(tree, modems) // the first error is the one that counts
			return nil, nil, err
		}
	}
	return tree, modems, nil
}

// closeSims unplugs the modems and ends them.
func closeSims(tree *cell.Tree, modems []*cell.Modem) error {
	err := tree.Close()
	for _, m := range modems {
		_ = m.Close() // never fails
	}
	return err
}
