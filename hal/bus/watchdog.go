package bus

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Watchdog is a hardware timer that restarts the machine unless it is fed in time
// (Documentation/watchdog/watchdog-api.rst). Its methods may be called from one
// goroutine at a time.
type Watchdog struct {
	path string
	f    *os.File
	// Timeout is how long it waits, in whole seconds: what was asked for, or what
	// the hardware can do.
	Timeout time.Duration
}

// ErrNoWatchdog means that the machine has no such watchdog.
var ErrNoWatchdog = errors.New("no such watchdog")

// OpenWatchdog opens the device at path, as "/dev/watchdog0", and starts it with
// timeout, or the longest time that it can wait. From then on the machine restarts
// unless it is fed or closed in time.
func OpenWatchdog(path string, timeout time.Duration) (*Watchdog, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%w: %s", ErrNoWatchdog, path)
	case errors.Is(err, unix.EBUSY):
		return nil, fmt.Errorf("%s is used by another program, perhaps systemd (RuntimeWatchdogSec): %w", path, err)
	case err != nil:
		return nil, fmt.Errorf("open the watchdog: %w", err)
	}
	w := &Watchdog{path: path, f: f}
	// The longest time is not told: a driver refuses what it cannot do, so the
	// question is asked again with less.
	for seconds := int(timeout / time.Second); ; seconds /= 2 {
		if seconds < 1 {
			break
		}
		if unix.IoctlSetPointerInt(int(f.Fd()), unix.WDIOC_SETTIMEOUT, seconds) == nil {
			break
		}
	}
	got, err := unix.IoctlGetInt(int(f.Fd()), unix.WDIOC_GETTIMEOUT)
	if err != nil || got < 2 {
		return nil, errors.Join(fmt.Errorf("%s waits %d s: too short to be fed", path, got), err, w.Close())
	}
	w.Timeout = time.Duration(got) * time.Second
	return w, nil
}

// Feed has it wait anew.
func (w *Watchdog) Feed() error {
	if err := unix.IoctlWatchdogKeepalive(int(w.f.Fd())); err != nil {
		return fmt.Errorf("feed %s: %w", w.path, err)
	}
	return nil
}

// Close stops it, where the driver lets it be stopped, and gives it back.
func (w *Watchdog) Close() error {
	_, err := w.f.Write([]byte{'V'}) // the magic close
	return errors.Join(err, w.f.Close())
}
