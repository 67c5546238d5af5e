package dtmf

import (
	"errors"
	"fmt"
	"math"
	"time"

	"callbox/media"
)

// Lengths of the letters that pause (call-api.md: w is 0.5 s, W is 1 s).
const (
	shortPause = 500 * time.Millisecond
	longPause  = time.Second
)

// MaxDigits is the longest string that a clip plays.
const MaxDigits = 256

// ErrDigits means that a string of digits cannot be played.
var ErrDigits = errors.New("not a string of digits")

// Config says how digits sound. The zero value is 100 ms on, 100 ms off, low
// group −10 dBm0, high group −8 dBm0, as telephones send (ETSI ES 201 235-2).
type Config struct {
	On, Off time.Duration // 0: 100 ms; whole samples (125 µs)
	// Low and High are the levels of the two sines in dBm0, at most 0; both 0
	// means the default.
	Low, High float64
}

// Limits and defaults of Config.
const (
	defaultOn   = 100 * time.Millisecond
	defaultOff  = 100 * time.Millisecond
	defaultLow  = -10.0
	defaultHigh = -8.0
	minOn       = 20 * time.Millisecond
	maxOn       = 8 * time.Second
	minLevel    = -60.0
)

// Validate reports what is out of range.
func (c Config) Validate() error {
	switch {
	case c.On != 0 && (c.On < minOn || c.On > maxOn):
		return fmt.Errorf("digit length %v is not within %v and %v", c.On, minOn, maxOn)
	case c.Off < 0 || c.Off > maxOn:
		return fmt.Errorf("pause between digits %v is not within 0 and %v", c.Off, maxOn)
	case c.Low < minLevel || c.Low > 0 || c.High < minLevel || c.High > 0:
		return fmt.Errorf("digit levels %.1f and %.1f dBm0 are not within %.0f and 0", c.Low, c.High, minLevel)
	}
	return nil
}

// withDefaults fills in the zero fields.
func (c Config) withDefaults() Config {
	if c.On == 0 {
		c.On = defaultOn
	}
	if c.Off == 0 {
		c.Off = defaultOff
	}
	if c.Low == 0 && c.High == 0 {
		c.Low, c.High = defaultLow, defaultHigh
	}
	return c
}

// Clip plays a string of digits: each of 0-9 * # A-D (a-d) as a tone and the
// pause after it, w as half a second and W as a second of silence.
type Clip struct {
	digits    string
	on, off   int     // samples
	low, high float64 // peak values

	at     int // index of the next digit, owned by the reader like all below
	tone   int // samples left of its tone
	silent int // samples left of the silence after it
	lo, hi media.Oscillator
}

var _ media.Rewinder = (*Clip)(nil)

// New makes the clip of a string of 1…MaxDigits letters. The error wraps
// ErrDigits when a letter is not known, or says what is wrong in c.
func New(digits string, c Config) (*Clip, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if len(digits) == 0 || len(digits) > MaxDigits {
		return nil, fmt.Errorf("%w: %d letters, want 1 to %d", ErrDigits, len(digits), MaxDigits)
	}
	b := []byte(digits)
	for i, d := range b {
		if d >= 'a' && d <= 'd' {
			b[i] = d - 'a' + 'A'
		} else if !Valid(d) && d != 'w' && d != 'W' {
			return nil, fmt.Errorf("%w: %q at position %d", ErrDigits, d, i+1)
		}
	}
	c = c.withDefaults()
	return &Clip{
		digits: string(b),
		on:     media.SamplesIn(c.On),
		off:    media.SamplesIn(c.Off),
		low:    media.Amplitude(c.Low),
		high:   media.Amplitude(c.High),
	}, nil
}

// Duration is the length of the clip; the last digit's pause is part of it.
func (c *Clip) Duration() time.Duration {
	n := 0
	for i := range len(c.digits) {
		tone, silent := c.lengths(c.digits[i])
		n += tone + silent
	}
	return media.DurationOf(n)
}

// Rewind starts again with the first digit.
func (c *Clip) Rewind() { c.at, c.tone, c.silent = 0, 0, 0 }

// Close does nothing.
func (c *Clip) Close() error { return nil }

// ReadFrame fills f with the next 20 ms; the last frame is filled up with
// silence, then it reports false.
func (c *Clip) ReadFrame(f *media.Frame) bool {
	i := 0
	for ; i < len(f); i++ {
		if c.tone == 0 && c.silent == 0 && !c.next() {
			break
		}
		switch {
		case c.tone > 0:
			f[i] = media.Clamp(int32(math.Round(c.lo.Next() + c.hi.Next())))
			c.tone--
		default:
			f[i] = 0
			c.silent--
		}
	}
	if i == 0 {
		return false
	}
	clear(f[i:])
	return true
}

// lengths gives the tone and the silence of one letter in samples.
func (c *Clip) lengths(letter byte) (tone, silent int) {
	switch letter {
	case 'w':
		return 0, media.SamplesIn(shortPause)
	case 'W':
		return 0, media.SamplesIn(longPause)
	}
	return c.on, c.off
}

// next starts the next letter, and reports false after the last.
func (c *Clip) next() bool {
	if c.at >= len(c.digits) {
		return false
	}
	letter := c.digits[c.at]
	c.at++
	c.tone, c.silent = c.lengths(letter)
	if row, column, ok := Frequencies(letter); ok {
		c.lo = media.NewOscillator(row, c.low)
		c.hi = media.NewOscillator(column, c.high)
	}
	return true
}
