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
	// Rings are rhythms for some callers; the first that fits counts.
	Rings []Ring
	// HotLine is called as soon as the phone is picked up, or, with HotDelay, when
	// nothing was dialled for so long (1…30 s). Empty: nothing is.
	HotLine  string
	HotDelay time.Duration
	// Waiting tells a phone that is in a call of a second one by a tone; a flash takes
	// it. Otherwise the second caller finds it busy. The user may choose by codes.
	Waiting bool
	// Reverse reverses the battery while a call that the phone has placed is
	// answered, for meters and payphones.
	Reverse bool
	// Features are the codes that can be dialled instead of numbers.
	Features []Feature
	// NoAnswer is how long a phone rings before a call is forwarded by
	// Settings.ForwardNoAnswer, 5…120 s; 0 is 20 s.
	NoAnswer time.Duration
	// Settings are those that were kept by Save, which is told of each change on the
	// line's goroutine and must be quick; nil: they are lost with the line.
	Settings Settings
	Save     func(Settings)
	// Group are the phones whose calls this one can pick up, it being one of them;
	// nil: none.
	Group *Group
	// Plan says when a number is complete. Without it a number ends with # or with
	// a pause.
	Plan DialPlan
	// FirstDigit is how long the dial tone waits for a first digit, 1…60 s; 0 is
	// 15 s. InterDigit is the pause that ends a number, 1…20 s; 0 is 4 s.
	FirstDigit, InterDigit time.Duration
	// EchoTail is how long the line's echo may last, 16 to 64 ms; 0 is 32 ms,
	// negative leaves the echo in.
	EchoTail time.Duration
	// Note gets what happens on the line, in a few words, for the trace of the call: "the
	// receiver is lifted". It must not block. nil: nobody.
	Note func(at time.Time, text string)
	// Log gets one line per change of state; nil: none.
	Log *slog.Logger
}

// Fixed times and limits of a line.
const (
	busyTime   = time.Minute     // busy tone before the howler
	howlTime   = time.Minute     // howler before the line is parked
	recallTime = time.Minute     // ringing of a phone that has left somebody on hold
	lampTime   = 2 * time.Second // after the receiver was put down, before the lamp is set
	checkTime  = time.Second     // how often a ringing port's health is looked at
	retryTime  = time.Second     // after an error of the sound
	maxNumber  = 32              // digits of a number
	howlLevel  = -10.0           // dBm0
	digitRoom  = 32              // keys between the sound and the line
	ringFrames = 6               // sound between device and clock: 120 ms at most
	prefill    = 2               // 40 ms: both ends jitter
	echoAhead  = 16              // samples by which the echo's reference comes early, for the driver's error: 2 ms
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
	if c.NoAnswer == 0 {
		c.NoAnswer = 20 * time.Second
	}
	if c.Group == nil {
		c.Group = &Group{}
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
	if c.Note == nil {
		c.Note = func(time.Time, string) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	country, ok := tone.ByCountry(c.Country)
	if !ok {
		return c, country, fmt.Errorf("line %s: no tones for country %q: want one of %s", c.ID, c.Country, strings.Join(tone.Codes(), ", "))
	}
	if err := c.validate(); err != nil {
		return c, country, fmt.Errorf("line %s: %w", c.ID, err)
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

// validate looks at what the phone's user can do.
func (c Config) validate() error {
	if c.HotDelay != 0 && (c.HotDelay < time.Second || c.HotDelay > 30*time.Second) {
		return fmt.Errorf("wait of %v for the hot line: want 1 to 30 s", c.HotDelay)
	}
	if c.NoAnswer < 5*time.Second || c.NoAnswer > 2*time.Minute {
		return fmt.Errorf("ringing for %v before a call is forwarded: want 5 s to 2 min", c.NoAnswer)
	}
	for _, r := range c.Rings {
		if err := (hal.Cadence{Steps: r.Steps}).Validate(); err != nil {
			return fmt.Errorf("ring for %q: %w", r.Caller, err)
		}
	}
	return validate(c.Features)
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
