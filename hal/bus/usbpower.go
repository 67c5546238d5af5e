package bus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ErrNoPower means that the power of a USB port cannot be switched on this machine.
var ErrNoPower = errors.New("the power of this USB port cannot be switched")

// CycleUSB takes the power of the USB port at a place ("1-1.4") away for off, on the
// machine whose file tree is at root, and gives it again, also when ctx ends. The
// device on it starts anew. A hub that cannot switch a single port may switch all of
// them, or none though it says that it did.
//
//	/sys/bus/usb/devices/1-1:1.0/1-1-port4/disable          1: no power (Linux 6.0)
//	/sys/bus/usb/devices/usb1/1-0:1.0/usb1-port1/disable    of a place without a hub
//	  …/peer -> the same socket's other half, for USB 3
//	/sys/bus/usb/devices/1-1.4/authorized                   0: given up by the kernel
//
// Where the kernel knows no power, the device is given up and taken again, which is
// less. A device of another maker than vendor, if there is one, is left alone. The error
// wraps ErrNoPower when there is neither.
func CycleUSB(ctx context.Context, root, place string, vendor uint16, off time.Duration) error {
	devices := filepath.Join(root, "sys/bus/usb/devices")
	device := filepath.Join(devices, place)
	if v, err := strconv.ParseUint(attribute(device, "idVendor"), 16, 16); err == nil && uint16(v) != vendor {
		return fmt.Errorf("the USB port at %s is left alone: another device is there now", place)
	}
	var files []string
	on, gone := "0", "1"
	if dir := portOf(devices, place); dir != "" {
		files = writable(filepath.Join(dir, "disable"), filepath.Join(dir, "peer/disable"))
	}
	if len(files) == 0 {
		files, on, gone = writable(filepath.Join(device, "authorized")), "1", "0"
	}
	if len(files) == 0 {
		return fmt.Errorf("%s: %w", place, ErrNoPower)
	}
	err := set(files, gone)
	t := time.NewTimer(off)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	if err := errors.Join(err, set(files, on)); err != nil {
		return fmt.Errorf("switch the power of the USB port at %s: %w", place, err)
	}
	return nil
}

// portOf is the folder of the socket at a place; empty when the place is none.
func portOf(devices, place string) string {
	if i := strings.LastIndexByte(place, '.'); i > 0 {
		hub := place[:i]
		return filepath.Join(devices, hub+":1.0", hub+"-port"+place[i+1:])
	}
	bus, n, ok := strings.Cut(place, "-")
	if !ok {
		return ""
	}
	return filepath.Join(devices, "usb"+bus, bus+"-0:1.0", "usb"+bus+"-port"+n)
}

// writable are those of the files that there are.
func writable(paths ...string) []string {
	var out []string
	for _, p := range paths {
		if s, err := os.Stat(p); err == nil && s.Mode().IsRegular() {
			out = append(out, p)
		}
	}
	return out
}

// set writes a value to all files, and says which failed.
func set(files []string, value string) error {
	var errs []error
	for _, f := range files {
		h, err := os.OpenFile(f, os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		_, err = h.WriteString(value)
		errs = append(errs, err, h.Close())
	}
	return errors.Join(errs...)
}
