package sim

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Pty is a pseudo terminal in raw mode: the far side of a simulated serial
// device. Whoever opens Path finds a tty of the kernel's, so that the real code
// for serial devices runs.
//
// Master may be read by one goroutine and written by others; its deadlines work.
type Pty struct {
	Master *os.File
	Path   string // "/dev/pts/3"

	held *os.File // keeps the other side alive while nobody has opened it
}

// OpenPty makes one.
func OpenPty() (*Pty, error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open a pseudo terminal: %w", err)
	}
	m := os.NewFile(uintptr(fd), "/dev/ptmx")
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		m.Close()
		return nil, fmt.Errorf("unlock a pseudo terminal: %w", err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("name a pseudo terminal: %w", err)
	}
	p := &Pty{Master: m, Path: fmt.Sprintf("/dev/pts/%d", n)}
	if p.held, err = os.OpenFile(p.Path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0); err != nil {
		m.Close()
		return nil, fmt.Errorf("open a pseudo terminal: %w", err)
	}
	if err := p.raw(); err != nil {
		return nil, errors.Join(fmt.Errorf("set a pseudo terminal to raw mode: %w", err), p.Close())
	}
	return p, nil
}

// raw keeps the kernel from echoing and from changing bytes.
func (p *Pty) raw() error {
	c, err := p.held.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = c.Control(func(fd uintptr) {
		var t *unix.Termios
		if t, inner = unix.IoctlGetTermios(int(fd), unix.TCGETS); inner != nil {
			return
		}
		t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
		t.Cflag |= unix.CS8 | unix.CREAD | unix.CLOCAL
		t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
		inner = unix.IoctlSetTermios(int(fd), unix.TCSETS, t)
	})
	return errors.Join(err, inner)
}

// Close pulls the plug: whoever has Path open gets EIO.
func (p *Pty) Close() error { return errors.Join(p.Master.Close(), p.held.Close()) }

// ptyFar is the master as what is plugged into a simulated device.
type ptyFar struct{ *Pty }

// far gives it.
func (p *Pty) far() ptyFar { return ptyFar{p} }

func (p ptyFar) Read(b []byte) (int, error)  { return p.Master.Read(b) }
func (p ptyFar) Write(b []byte) (int, error) { return p.Master.Write(b) }
