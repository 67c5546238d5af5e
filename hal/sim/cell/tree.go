package cell

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"callbox/hal/sim"
)

// Tree is a USB bus for the whole program: a folder with sys/class/tty and dev as
// the kernel makes them, whose devices are pseudo terminals. Methods may be called
// from any goroutine.
type Tree struct {
	Root string

	mu     sync.Mutex // guards what follows
	next   int        // number of the next tty
	slots  map[*Modem]*branch
	closed bool
	power  outlets
	done   chan struct{}
	wg     sync.WaitGroup // the readers, and the one who watches the power
}

// branch is a modem that is plugged in.
type branch struct {
	files []string // to be removed with it
	ptys  []*sim.Pty
}

var _ socket = (*Tree)(nil)

// NewTree makes an empty bus below dir, which is the tree's from then on.
func NewTree(dir string) (*Tree, error) {
	for _, d := range []string{"sys/class/tty", "sys/devices", "dev"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, fmt.Errorf("make the simulated USB bus: %w", err)
		}
	}
	t := &Tree{Root: dir, slots: map[*Modem]*branch{}, power: outlets{}, done: make(chan struct{})}
	t.wg.Go(t.watchPower)
	return t, nil
}

// Plug puts a modem on the bus at a place such as "1-1.2".
func (t *Tree) Plug(m *Modem, place string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.slots[m] != nil {
		return nil
	}
	if err := t.supply(m, place); err != nil {
		return fmt.Errorf("plug in a simulated modem: %w", err)
	}
	if p := t.power[portFile(place)]; p != nil && p.off {
		return nil // it comes with the power
	}
	b := &branch{}
	var outs [2]outlet
	for i, feed := range []outlet{func(p []byte) int { m.command(append([]byte(nil), p...)); return len(p) }, m.sound.uplink} {
		p, err := sim.OpenPty()
		if err != nil {
			return errors.Join(err, b.remove())
		}
		b.ptys = append(b.ptys, p)
		outs[i] = func(data []byte) int { return push(p.Master, data) }
		t.wg.Go(func() { pump(p.Master, feed) })
	}
	var err error
	ttys, after := m.ttys("dev", place, t.next)
	t.next = after
	device := filepath.Join(t.Root, "sys/devices", place)
	b.files = append(b.files, device)
	err = errors.Join(err, put(device, "idVendor", fmt.Sprintf("%04x\n", m.traits.vendor)), put(device, "idProduct", fmt.Sprintf("%04x\n", m.traits.product)))
	for _, tty := range ttys {
		name := filepath.Base(tty.Path)
		face := fmt.Sprintf("%s:1.%d", place, tty.Interface)
		class := filepath.Join(t.Root, "sys/class/tty", name)
		b.files = append(b.files, class)
		err = errors.Join(err, put(filepath.Join(device, face), "bInterfaceNumber", fmt.Sprintf("%02x\n", tty.Interface)),
			put(filepath.Join(device, face, name), "port_number", "0\n"), os.MkdirAll(class, 0o700),
			os.Symlink(filepath.Join("../../../devices", place, face, name), filepath.Join(class, "device")))
		for i, n := range []int{m.traits.at, m.traits.pcm} {
			if n == tty.Interface {
				link := filepath.Join(t.Root, tty.Path)
				b.files = append(b.files, link)
				err = errors.Join(err, os.Symlink(b.ptys[i].Path, link))
			}
		}
	}
	if err != nil {
		return errors.Join(fmt.Errorf("plug in a simulated modem: %w", err), b.remove())
	}
	t.slots[m] = b
	m.attach(t, place, outs[0], outs[1])
	return nil
}

func put(dir, name, text string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)
}

// pump hands what the box writes to the modem until the plug is pulled.
func pump(f *os.File, feed outlet) {
	buf := make([]byte, 4096)
	for {
		n, err := f.Read(buf)
		if n > 0 {
			feed(buf[:n])
		}
		if err != nil {
			return
		}
	}
}

// push writes what the line takes at this moment.
func push(f *os.File, data []byte) int {
	c, err := f.SyscallConn()
	if err != nil {
		return 0
	}
	n := 0
	_ = c.Control(func(fd uintptr) {
		if k, err := unix.Write(int(fd), data); err == nil {
			n = k
		}
	})
	return n
}

// remove takes the modem's files and lines away.
func (b *branch) remove() error {
	var errs []error
	for _, p := range b.ptys {
		errs = append(errs, p.Close())
	}
	for i := len(b.files) - 1; i >= 0; i-- {
		errs = append(errs, os.RemoveAll(b.files[i]))
	}
	return errors.Join(errs...)
}

// Unplug takes a modem off the bus. One that is not there is left alone.
func (t *Tree) Unplug(m *Modem) {
	t.mu.Lock()
	b := t.slots[m]
	delete(t.slots, m)
	t.mu.Unlock()
	if b != nil {
		_ = b.remove() // what is left is a file nobody finds
		m.detach()
	}
}

// restart implements socket.
func (t *Tree) restart(m *Modem) {
	t.Unplug(m)
	t.plugLater(m)
}

// plugLater implements socket.
func (t *Tree) plugLater(m *Modem) {
	m.inbox.post(func() {
		if m.faultsNow().Unplugged {
			return
		}
		if t.Plug(m, m.where) != nil { // no pseudo terminal is free
			m.inbox.post(func() { t.plugLater(m) }, time.Second)
		}
	}, m.cfg.Boot)
}

// Close unplugs all modems, waits, and removes the folder.
func (t *Tree) Close() error {
	t.mu.Lock()
	if !t.closed {
		close(t.done)
	}
	t.closed = true
	all := t.slots
	t.slots = map[*Modem]*branch{}
	t.mu.Unlock()
	var errs []error
	for m, b := range all {
		errs = append(errs, b.remove())
		m.detach()
	}
	t.wg.Wait()
	return errors.Join(append(errs, os.RemoveAll(t.Root))...)
}
