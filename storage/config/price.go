package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Price is an amount of money in 1/10,000 of the currency's unit. In JSON and
// YAML it is a text such as "0.0075".
type Price int64

// String gives the amount with two to four decimal places.
func (p Price) String() string {
	s := fmt.Sprintf("%d.%04d", p/10000, p%10000)
	for range 2 {
		s = strings.TrimSuffix(s, "0")
	}
	return s
}

// MarshalText implements encoding.TextMarshaler.
func (p Price) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler: see [ParsePrice].
func (p *Price) UnmarshalText(text []byte) error {
	v, err := ParsePrice(string(text))
	if err != nil {
		return err
	}
	*p = v
	return nil
}

var errPrice = errors.New(`is not an amount with at most four decimal places, such as "0.0075"`)

// ParsePrice reads an amount that is not negative.
func ParsePrice(s string) (Price, error) {
	whole, part, _ := strings.Cut(s, ".")
	if len(part) > 4 || len(whole) > 9 || whole == "" || strings.Trim(whole+part, "0123456789") != "" {
		return 0, fmt.Errorf("%q %w", s, errPrice)
	}
	n, err := strconv.ParseInt(whole+(part + "0000")[:4], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q %w", s, errPrice)
	}
	return Price(n), nil
}
