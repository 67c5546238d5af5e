package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time that is written as people read it: "30s",
// "1h30m", "90d". In JSON and YAML it is such a text.
type Duration time.Duration

const day = 24 * time.Hour

// maxDays is the most days that a time.Duration holds.
const maxDays = int64(1<<63-1) / int64(day)

// Std is d as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String gives whole days as "90d", and everything else in the form of
// time.Duration without its zero parts.
func (d Duration) String() string {
	if t := time.Duration(d); t != 0 && t%day == 0 {
		return strconv.FormatInt(int64(t/day), 10) + "d"
	}
	s := time.Duration(d).String()
	for _, zero := range [][2]string{{"m0s", "0s"}, {"h0m", "0m"}} {
		if strings.HasSuffix(s, zero[0]) {
			s = strings.TrimSuffix(s, zero[1])
		}
	}
	return s
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler: see [ParseDuration].
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := ParseDuration(string(text))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

var errDuration = errors.New(`is not a length of time such as "30s", "1h30m" or "90d"`)

// ParseDuration reads what time.ParseDuration reads, and whole days before it:
// "90d", "1d12h".
func ParseDuration(s string) (Duration, error) {
	text := s
	sign := Duration(1)
	if strings.HasPrefix(text, "-") {
		sign, text = -1, text[1:]
	}
	days, rest, found := strings.Cut(text, "d")
	if !found {
		days, rest = "0", text
	} else if rest == "" {
		rest = "0"
	}
	n, err := strconv.ParseUint(days, 10, 32)
	if err != nil || int64(n) > maxDays || strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "+") {
		return 0, fmt.Errorf("%q %w", s, errDuration)
	}
	t, err := time.ParseDuration(rest)
	sum := time.Duration(n)*day + t
	if err != nil || sum < 0 {
		return 0, fmt.Errorf("%q %w", s, errDuration)
	}
	return sign * Duration(sum), nil
}
