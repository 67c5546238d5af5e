package bus

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"callbox/hal"
)

var _ hal.Stream = (*TTY)(nil)

// TTY is a serial device in raw mode whose writer never waits (hal.Stream). The
// rate is left alone: it means nothing over USB.
type TTY struct {
	name string
	fd   int
	wake int // an eventfd that Close makes readable

	closed  atomic.Bool
	reading sync.Mutex     // held while fd is used by ReadUntil
	writing sync.Mutex     // held while fd is used by TryWrite
	polled  [2]unix.PollFd // guarded by reading
}

// OpenTTY opens the device at path. The error wraps hal.ErrGone when it is not
// there.
func OpenTTY(path string) (*TTY, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, ttyError(err))
	}
	if err := raw(fd); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("set %s to raw mode: %w", path, ttyError(err))
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("open %s: eventfd: %w", path, err)
	}
	return &TTY{name: path, fd: fd, wake: wake}, nil
}

// raw has every byte passed as it is (termios(3), cfmakeraw).
func raw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON | unix.IXOFF
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB|unix.CRTSCTS) | unix.CS8 | unix.CLOCAL | unix.CREAD
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// ttyError says of the kernel's errors which ones mean that the device has gone.
func ttyError(err error) error {
	for _, gone := range []error{unix.EIO, unix.ENODEV, unix.ENXIO, unix.ENOENT, unix.EBADF} {
		if errors.Is(err, gone) {
			return fmt.Errorf("%w: %w", hal.ErrGone, err)
		}
	}
	return err
}

// ReadUntil implements [hal.Stream].
func (t *TTY) ReadUntil(p []byte, until time.Time) (int, error) {
	t.reading.Lock()
	defer t.reading.Unlock()
	for {
		if t.closed.Load() {
			return 0, hal.ErrClosed
		}
		n, err := unix.Read(t.fd, p)
		switch {
		case n > 0:
			return n, nil
		case err == nil: // the other side of a pseudo terminal was closed
			return 0, fmt.Errorf("read %s: %w", t.name, hal.ErrGone)
		case err == unix.EINTR:
			continue
		case err != unix.EAGAIN:
			return 0, fmt.Errorf("read %s: %w", t.name, ttyError(err))
		}
		left := time.Until(until)
		if left <= 0 {
			return 0, nil
		}
		t.polled = [2]unix.PollFd{{Fd: int32(t.fd), Events: unix.POLLIN}, {Fd: int32(t.wake), Events: unix.POLLIN}}
		ms := int((left + time.Millisecond - 1) / time.Millisecond)
		if _, err := unix.Poll(t.polled[:], ms); err != nil && err != unix.EINTR {
			return 0, fmt.Errorf("wait for %s: %w", t.name, err)
		}
	}
}

// TryWrite implements [hal.Stream].
func (t *TTY) TryWrite(p []byte) (int, error) {
	t.writing.Lock()
	defer t.writing.Unlock()
	for {
		if t.closed.Load() {
			return 0, hal.ErrClosed
		}
		n, err := unix.Write(t.fd, p)
		switch {
		case err == nil:
			return n, nil
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0, nil
		}
		return 0, fmt.Errorf("write %s: %w", t.name, ttyError(err))
	}
}

// Discard implements [hal.Stream].
func (t *TTY) Discard() error {
	t.writing.Lock()
	defer t.writing.Unlock()
	if t.closed.Load() {
		return hal.ErrClosed
	}
	if err := unix.IoctlSetInt(t.fd, unix.TCFLSH, unix.TCIFLUSH); err != nil {
		return fmt.Errorf("flush %s: %w", t.name, ttyError(err))
	}
	return nil
}

// Close implements [hal.Stream]; it waits until the device is not in use.
func (t *TTY) Close() error {
	if t.closed.Swap(true) {
		return nil
	}
	one := [8]byte{1}
	_, _ = unix.Write(t.wake, one[:]) // it can only fail when it is readable already
	t.reading.Lock()
	defer t.reading.Unlock()
	t.writing.Lock()
	defer t.writing.Unlock()
	unix.Close(t.wake)
	if err := unix.Close(t.fd); err != nil {
		return fmt.Errorf("close %s: %w", t.name, err)
	}
	return nil
}
