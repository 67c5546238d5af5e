package fxs

import (
	"errors"
	"fmt"
	"strings"
)

// maxPatterns bounds a digit map.
const maxPatterns = 64

// DigitMap makes a dial plan of patterns, as MGCP has them (RFC 3435 §2.1.5): 0-9 and
// * are themselves, x is any digit, [2-79] one of a set, and a dot after one of
// these is any number of it. A number that fits a pattern is complete, unless more
// digits may fit another; one that can never fit is refused.
func DigitMap(patterns []string) (DialPlan, error) {
	if len(patterns) > maxPatterns {
		return nil, fmt.Errorf("digit map of %d patterns: want at most %d", len(patterns), maxPatterns)
	}
	var all [][]place
	for _, p := range patterns {
		places, err := pattern(p)
		if err != nil {
			return nil, fmt.Errorf("digit map, %q: %w", p, err)
		}
		all = append(all, places)
	}
	return func(digits string) (complete, possible bool) {
		for _, p := range all {
			done, more := match(p, digits)
			complete, possible = complete || done, possible || more
		}
		return complete && !possible, possible || complete
	}, nil
}

// place is one place of a pattern.
type place struct {
	set  string
	many bool // any number of them, also none
}

// pattern reads one pattern.
func pattern(s string) ([]place, error) {
	var out []place
	for len(s) > 0 {
		set := s[:1]
		s = s[1:]
		switch c := set[0]; {
		case c == 'x' || c == 'X':
			set = "0123456789"
		case c == '[':
			in, rest, ok := strings.Cut(s, "]")
			if !ok {
				return nil, errors.New("a set has no end")
			}
			s = rest
			var err error
			if set, err = setOf(in); err != nil {
				return nil, err
			}
		case c != '*' && (c < '0' || c > '9'):
			return nil, fmt.Errorf("%q is none of 0-9 * x [] and the dot", c)
		}
		p := place{set: set}
		if strings.HasPrefix(s, ".") {
			p.many, s = true, s[1:]
		}
		out = append(out, p)
	}
	if len(out) == 0 || len(out) > maxNumber {
		return nil, fmt.Errorf("it has %d places: want 1 to %d", len(out), maxNumber)
	}
	return out, nil
}

// setOf reads what stands between brackets: digits, * and ranges of digits.
func setOf(s string) (string, error) {
	out := ""
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c != '*' && (c < '0' || c > '9'):
			return "", fmt.Errorf("%q in a set is no digit", c)
		case i+2 < len(s) && s[i+1] == '-' && s[i+2] > c && s[i+2] <= '9' && c != '*':
			for d := c; d <= s[i+2]; d++ {
				out += string(d)
			}
			i += 2
		default:
			out += string(c)
		}
	}
	if out == "" {
		return "", errors.New("a set is empty")
	}
	return out, nil
}

// match reports whether digits fit a whole pattern, and whether more of them may.
func match(p []place, digits string) (done, more bool) {
	if digits == "" {
		for _, x := range p {
			if !x.many {
				return false, true
			}
		}
		return true, len(p) > 0
	}
	if len(p) == 0 {
		return false, false
	}
	if p[0].many {
		done, more = match(p[1:], digits)
	}
	if strings.IndexByte(p[0].set, digits[0]) >= 0 {
		next := p[1:]
		if p[0].many {
			next = p
		}
		d, m := match(next, digits[1:])
		done, more = done || d, more || m
	}
	return done, more
}
