package fxs

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"

	"callbox/hal"
	"callbox/media/echo"
	"callbox/media/tone"
)

// DialPlan judges the digits dialled so far, at least one of 0-9 *. complete:
// place the call now. possible: more digits may make a number of it. With
// neither, the phone gets the congestion tone. It is called on the line's
// goroutine and must be quick.
type DialPlan func(digits string) (complete, possible bool)

// Config is a port's configuration.
type Config struct {
	// ID is the line's stable name, usually the port's: "fxs1".
	ID string
	// Number is the phone's own number, the From of its calls; empty: ID.
	Number string
	// Name is the phone's display name, may be empty.
	Name string
	// Country is the ISO code of the tones and the ring; empty: tone.DefaultCountry.
	Country string
	// CallerID is how the phone is told who calls, one of CallerIDs; empty: as in the
	// country, which may be not at all.
	CallerID string
	// Show writes a caller's number as the phone's display should have it; nil: as it
	// is. What is no number then is a name.
	Show func(number string) string
	// Plan says when a number is complete. Without it a number ends with # or with
	// a pause.
	Plan DialPlan
	// FirstDigit is how long the dial tone waits for a first digit, 1…60 s; 0 is
	// 15 s. InterDigit is the pause that ends a number, 1…20 s; 0 is 4 s.
	FirstDigit, InterDigit time.Duration
	// EchoTail is how long the line's echo may last, 16 to 64 ms; 0 is 32 ms,
	// negative leaves the echo in.
	EchoTail time.Duration
	// Log gets one line per change of state; nil: none.
	Log *slog.Logger
}

// Fixed times and limits of a line.
const (
	busyTime   = time.Minute // busy tone before the howler
	howlTime   = time.Minute // howler before the line is parked
	checkTime  = time.Second // how often a ringing port's health is looked at
	retryTime  = time.Second // after an error of the sound
	maxNumber  = 32          // digits of a number
	howlLevel  = -10.0       // dBm0
	eventRoom  = 64          // events of a leg; digits beyond are dropped
	stateRoom  = 8           // further room that only changes of state use
	digitRoom  = 32          // keys between the sound and the line
	ringFrames = 6           // sound between device and clock: 120 ms at most
	prefill    = 2           // 40 ms: both ends jitter
)

// withDefaults fills in the zero values and checks the rest.
func (c Config) withDefaults() (Config, tone.Country, error) {
	if c.ID == "" {
		return c, tone.Country{}, errors.New("an fxs line needs an id")
	}
	if c.Number == "" {
		c.Number = c.ID
	}
	if c.Country == "" {
		c.Country = tone.DefaultCountry
	}
	if c.FirstDigit == 0 {
		c.FirstDigit = 15 * time.Second
	}
	if c.InterDigit == 0 {
		c.InterDigit = 4 * time.Second
	}
	if c.CallerID == "" {
		c.CallerID = schemeOf(strings.ToUpper(c.Country))
	}
	if c.Show == nil {
		c.Show = func(number string) string { return number }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	country, ok := tone.ByCountry(c.Country)
	if !ok {
		return c, country, fmt.Errorf("line %s: no tones for country %q: want one of %s", c.ID, c.Country, strings.Join(tone.Codes(), ", "))
	}
	if c.FirstDigit < time.Second || c.FirstDigit > time.Minute {
		return c, country, fmt.Errorf("line %s: wait of %v for the first digit: want 1 to 60 s", c.ID, c.FirstDigit)
	}
	if c.InterDigit < time.Second || c.InterDigit > 20*time.Second {
		return c, country, fmt.Errorf("line %s: wait of %v between digits: want 1 to 20 s", c.ID, c.InterDigit)
	}
	if err := (echo.Config{Tail: max(c.EchoTail, 0)}).Validate(); err != nil {
		return c, country, fmt.Errorf("line %s: %w", c.ID, err)
	}
	if _, ok := schemes[c.CallerID]; !ok && c.CallerID != "" {
		return c, country, fmt.Errorf("line %s: caller id %q: want one of %s", c.ID, c.CallerID, strings.Join(CallerIDs(), ", "))
	}
	if err := cadence(country).Validate(); err != nil {
		return c, country, fmt.Errorf("line %s: country %s: %w", c.ID, country.Code, err)
	}
	return c, country, nil
}

// Validate reports what is wrong with c.
func (c Config) Validate() error {
	_, _, err := c.withDefaults()
	return err
}

// cadence is a country's ring for the port.
func cadence(c tone.Country) hal.Cadence {
	return hal.Cadence{Steps: c.Ring.OnOff, Hz: int(math.Round(c.Ring.Hz))}
}
