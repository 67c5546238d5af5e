package slic

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"callbox/hal"
)

// Pins are the chip's four lines. The driver uses them from Open to Close and
// does not close them.
type Pins struct {
	SHK hal.Input
	RM  hal.Output
	FR  hal.Output
	PD  hal.Drain
}

// Config is what can differ between ports. The zero value is right for most.
type Config struct {
	// Hz is the ringing frequency when the cadence names none: 20…25; 0 is 25.
	Hz int
	// FlashMin and FlashMax bound a hook flash; a longer break is on-hook. 0 is 200
	// and 600 ms. FlashMin is 100 ms to 400 ms, FlashMax above it up to 1,250 ms
	// (some countries' phones make flashes of 1 s). While the phone is dialling,
	// any break longer than a dial pulse is a flash.
	FlashMin, FlashMax time.Duration
	// Supply is shared by ports whose power supply can ring only one at a time.
	Supply *Supply
	// Log gets one line per change of state at Debug; nil: none.
	Log *slog.Logger
}

// The fixed times of the chip and of telephone hooks.
const (
	wakeTime     = 50 * time.Millisecond  // outputs invalid after PD is released
	wakeMargin   = 5 * time.Millisecond   // the clock's and the chip's, before it may ring
	settleTime   = 50 * time.Millisecond  // SHK invalid after a battery reversal
	glitchTime   = 10 * time.Millisecond  // shorter levels of SHK are bounce; also the ring trip debounce
	offHookTime  = 50 * time.Millisecond  // SHK high for so long, outside a burst: off-hook
	pulseMin     = 15 * time.Millisecond  // shorter breaks are noise
	pulseMax     = 90 * time.Millisecond  // the longest break of a dial: 67 % at 8 pulses per second is 84 ms
	pulseGap     = 250 * time.Millisecond // a make for so long ends the digit
	tailTime     = 20 * time.Millisecond  // F/R high to RM low; the chip wants 10…500 ms
	retryTime    = 5 * time.Second        // after a failure of a pin
	resyncTime   = 250 * time.Millisecond // SHK is read again, in case an edge was lost
	lateToggle   = 2 * time.Millisecond   // an F/R edge later than this is counted
	maxBurst     = 2 * time.Second        // longest ring burst that one third of the time allows at once
	minHz, maxHz = 20, 25                 // what the chip can ring
	maxEvents    = 64                     // events waiting for a reader
)

// withDefaults fills in the zero values and checks the rest.
func (c Config) withDefaults() (Config, error) {
	if c.Hz == 0 {
		c.Hz = 25
	}
	if c.FlashMin == 0 {
		c.FlashMin = 200 * time.Millisecond
	}
	if c.FlashMax == 0 {
		c.FlashMax = 600 * time.Millisecond
	}
	if c.Hz < minHz || c.Hz > maxHz {
		return c, fmt.Errorf("ring frequency %d Hz: the chip makes %d to %d", c.Hz, minHz, maxHz)
	}
	if c.FlashMin < 100*time.Millisecond || c.FlashMin > 400*time.Millisecond {
		return c, fmt.Errorf("shortest flash %v: want 100 to 400 ms", c.FlashMin)
	}
	if c.FlashMax <= c.FlashMin || c.FlashMax > 1250*time.Millisecond {
		return c, fmt.Errorf("longest flash %v: want more than %v, at most 1.25 s", c.FlashMax, c.FlashMin)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// Validate reports what is wrong with c.
func (c Config) Validate() error {
	_, err := c.withDefaults()
	return err
}

// Supply lets ports that share a small power supply ring one after the other:
// while one rings, the bursts of the others wait. The zero value is ready.
type Supply struct {
	mu   sync.Mutex
	free time.Time // when the last reserved burst ends; guarded by mu
}

// reserve takes the supply for a burst of length d from now on and reports
// true, or says when it will be free.
func (s *Supply) reserve(now time.Time, d time.Duration) (bool, time.Time) {
	if s == nil {
		return true, now
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(s.free) {
		return false, s.free
	}
	s.free = now.Add(d)
	return true, now
}

// release gives the supply back before the end of the reserved burst.
func (s *Supply) release(now time.Time) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(s.free) {
		s.free = now
	}
}
