package portleg

import (
	"errors"
	"sync"
	"time"

	"callbox/hal"
)

// Device watches how the operations on a device's sound end. The zero value is that of
// one that works. Its methods may be called from any goroutine.
type Device struct {
	mu    sync.Mutex
	err   error
	since time.Time // when it began
}

// Err is what is wrong with the device, nil while it works.
func (d *Device) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// Lasting is what has been wrong with the device for so long, nil before. A pause, as for
// a flash, is nothing wrong.
func (d *Device) Lasting(long time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil || time.Since(d.since) < long {
		return nil
	}
	return d.err
}

// Forget takes the device as one that works.
func (d *Device) Forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = nil
}

// Check takes the result of an operation, and reports whether it succeeded. The first
// error of a row is given to failed unless it is that the device was closed; before the
// next attempt Check waits for pause, or until quit is closed. An error after that is
// how the end looks, and no fault.
func (d *Device) Check(err error, pause time.Duration, quit <-chan struct{}, failed func(error)) bool {
	if err != nil && Over(quit) {
		return false
	}
	d.mu.Lock()
	first := d.err == nil
	if d.err = err; first {
		d.since = time.Now()
	}
	d.mu.Unlock()
	if err == nil {
		return true
	}
	if first && !errors.Is(err, hal.ErrClosed) {
		failed(err)
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-quit:
	case <-t.C:
	}
	return false
}

// Over reports whether quit is closed.
func Over(quit <-chan struct{}) bool {
	select {
	case <-quit:
		return true
	default:
		return false
	}
}
