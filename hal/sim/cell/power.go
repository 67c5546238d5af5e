package cell

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cured ends what lasts only until the power is taken.
func (m *Modem) cured() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults.Hung = false
}

// powerOff is how long [Rack.CyclePower] takes the power away.
const powerOff = 5 * time.Second

// CyclePower takes the power of a place away and gives it again. Nothing at the place
// is no error.
func (r *Rack) CyclePower(ctx context.Context, place string, _ uint16) error {
	r.mu.Lock()
	var m *Modem
	for x, s := range r.slots {
		if s.ttys[0].Place == place {
			m = x
		}
	}
	r.mu.Unlock()
	if m == nil {
		return nil
	}
	r.Unplug(m)
	m.cured()
	t := time.NewTimer(powerOff)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	r.plugLater(m)
	return nil
}

// portFile is where the kernel lets the power of a place such as "1-1.2" be switched
// off ("1") and on ("0"); empty when the place is none behind a hub.
func portFile(place string) string {
	i := strings.LastIndexByte(place, '.')
	if i < 0 {
		return ""
	}
	hub, n := place[:i], place[i+1:]
	return filepath.Join("sys/bus/usb/devices", hub+":1.0", hub+"-port"+n, "disable")
}

// outlets is the power of the places of a [Tree]: the modem of each, and whether it has
// power.
type outlets map[string]*powered

type powered struct {
	m   *Modem
	off bool
}

// supply makes the file that switches a place; the lock is held.
func (t *Tree) supply(m *Modem, place string) error {
	file := portFile(place)
	if file == "" || t.power[file] != nil {
		return nil
	}
	t.power[file] = &powered{m: m}
	return put(filepath.Join(t.Root, filepath.Dir(file)), filepath.Base(file), "0\n")
}

// watchPower acts on the files until the tree is closed.
func (t *Tree) watchPower() {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-t.done:
			return
		case <-tick.C:
		}
		t.mu.Lock()
		var offs, ons []*Modem
		for file, p := range t.power {
			b, err := os.ReadFile(filepath.Join(t.Root, file))
			n, bad := strconv.Atoi(strings.TrimSpace(string(b)))
			if off := n != 0; err == nil && bad == nil && off != p.off {
				if p.off = off; off {
					offs = append(offs, p.m)
				} else {
					ons = append(ons, p.m)
				}
			}
		}
		t.mu.Unlock()
		for _, m := range offs {
			t.Unplug(m)
			m.cured()
		}
		for _, m := range ons {
			t.plugLater(m)
		}
	}
}
