package fxo

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"callbox/media/echo"
	"callbox/media/tone"
)

// AnswerSign is what counts as the answer of a call that the box makes: an exchange
// line does not say it.
type AnswerSign string

// The signs.
const (
	// AnswerAuto takes whichever comes first: the battery turns, somebody speaks, the
	// ringback tone stays away.
	AnswerAuto     AnswerSign = ""
	AnswerPolarity AnswerSign = "polarity" // the battery turns, nothing else
	AnswerVoice    AnswerSign = "voice"    // somebody speaks, or the ringback tone stays away
	AnswerTimer    AnswerSign = "timer"    // AnswerAfter has passed since the number was dialled
)

// AnswerSigns are all of them.
func AnswerSigns() []AnswerSign {
	return []AnswerSign{AnswerAuto, AnswerPolarity, AnswerVoice, AnswerTimer}
}

// Refusal is what becomes of a call that arrives and that the box does not take. A phone
// cannot tell an exchange that it refuses a call.
type Refusal string

// The refusals.
const (
	// RefuseRing lets it ring until the caller gives up, or a phone beside the box on the
	// same line takes it.
	RefuseRing Refusal = ""
	// RefuseAnswer takes it, plays busy tone for some seconds, and hangs up. The caller
	// pays for that.
	RefuseAnswer Refusal = "answer"
)

// Config is a line's configuration.
type Config struct {
	// ID is the line's stable name, usually the port's: "fxo1".
	ID string
	// Number is the line's own number, what calls that arrive are to; empty: ID.
	Number string
	// Country is the ISO code of the exchange's tones; empty: tone.DefaultCountry.
	Country string
	// Pulse dials with breaks of the loop. Blind does not wait for dial tone.
	Pulse, Blind bool
	// Answer is what counts as the answer.
	Answer AnswerSign
	// AnswerAfter is the time of AnswerTimer, 0…60 s.
	AnswerAfter time.Duration
	// NoLoop says that breaks of the loop that the port reports mean nothing.
	NoLoop bool
	// Refuse is what becomes of a call that the box does not take.
	Refuse Refusal
	// Silence is how long a call may be silent both ways before it counts as hung up,
	// 10 s to 1 h; 0: for ever.
	Silence time.Duration
	// CallerWait is how long after the first ring the box waits to be told who calls,
	// up to 10 s; 0: 4 s, negative: not at all.
	CallerWait time.Duration
	// EchoTail is how long the line's echo may last beyond the delay of the port, 16 to
	// 64 ms; 0 is 32 ms, negative leaves the echo in.
	EchoTail time.Duration
	// Note gets what happens on the line, in a few words, for the trace of the call:
	// "the exchange plays busy tone". It must not block. nil: nobody.
	Note func(at time.Time, text string)
	// Log gets one line per change of state; nil: none.
	Log *slog.Logger
}

// Fixed times and limits of a line.
const (
	guardTime   = time.Second // on-hook between two calls
	releaseTime = 30 * time.Second
	stopTime    = 4 * time.Second // for the driver when the line stops
	ringSlack   = 2500 * time.Millisecond
	callerLife  = 10 * time.Second       // from who calls to the first ring: later it is another call
	retryTime   = 100 * time.Millisecond // after an error of the sound
	maxDigits   = 32
	signRoom    = 64                     // keys and signs between the sound and the line
	ringFrames  = 6                      // sound between device and clock: 120 ms at most
	prefill     = 2                      // 40 ms: both ends jitter
	echoAhead   = 24                     // samples by which the echo's reference comes early: the delay is measured at its peak
	echoSearch  = 200 * time.Millisecond // the longest delay inside the modem that is looked for
	wordFrames  = 3                      // of voice in a row are a word
	tailFrames  = 8                      // 160 ms: what is still on the way of the ringback tone at the answer
	pauseTime   = 3 * time.Second        // without sound that a flash and the like may take
	refuseTime  = 4 * time.Second        // of busy tone for a caller who is refused
)

// withDefaults fills in the zero values and checks the rest.
func (c Config) withDefaults() (Config, tone.Country, error) {
	if c.ID == "" {
		return c, tone.Country{}, errors.New("an fxo line needs an id")
	}
	if c.Number == "" {
		c.Number = c.ID
	}
	if c.Country == "" {
		c.Country = tone.DefaultCountry
	}
	if c.CallerWait == 0 {
		c.CallerWait = 4 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Note == nil {
		c.Note = func(time.Time, string) {}
	}
	country, ok := tone.ByCountry(c.Country)
	if !ok {
		return c, country, fmt.Errorf("line %s: no tones for country %q: want one of %s", c.ID, c.Country, strings.Join(tone.Codes(), ", "))
	}
	switch c.Answer {
	case AnswerAuto, AnswerPolarity, AnswerVoice, AnswerTimer:
	default:
		return c, country, fmt.Errorf("line %s: answer sign %q: want auto, polarity, voice or timer", c.ID, c.Answer)
	}
	if c.Refuse != RefuseRing && c.Refuse != RefuseAnswer {
		return c, country, fmt.Errorf("line %s: refuse %q: want ring or answer", c.ID, c.Refuse)
	}
	if c.AnswerAfter < 0 || c.AnswerAfter > time.Minute {
		return c, country, fmt.Errorf("line %s: answer after %v: want 0 to 60 s", c.ID, c.AnswerAfter)
	}
	if c.Silence != 0 && (c.Silence < 10*time.Second || c.Silence > time.Hour) {
		return c, country, fmt.Errorf("line %s: silence of %v: want 10 s to 1 h", c.ID, c.Silence)
	}
	if c.CallerWait > 10*time.Second {
		return c, country, fmt.Errorf("line %s: wait of %v for the caller's number: want up to 10 s", c.ID, c.CallerWait)
	}
	if err := (echo.Config{Tail: max(c.EchoTail, 0)}).Validate(); err != nil {
		return c, country, fmt.Errorf("line %s: %w", c.ID, err)
	}
	return c, country, nil
}

// Validate reports what is wrong with c.
func (c Config) Validate() error {
	_, _, err := c.withDefaults()
	return err
}

// ringGap is how long after a ring of a country the call is over if there is no other.
func ringGap(c tone.Country) time.Duration {
	var round time.Duration
	for _, d := range c.Ring.OnOff {
		round += d
	}
	return round + ringSlack
}
