package number

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kind is what sort of number was dialled.
type Kind int

const (
	// E164 is a public number whose international form is known.
	E164 Kind = iota
	// EmergencyService calls an emergency service; it is dialled as it is.
	EmergencyService
	// Short is a service code or an internal number: at most 6 digits.
	Short
	// Local is a number without area code, which only the local exchange understands.
	Local
	// Feature is a code with * or #.
	Feature
)

// String gives the kind's name for logs.
func (k Kind) String() string {
	names := [...]string{"e164", "emergency", "short", "local", "feature"}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("kind(%d)", int(k))
	}
	return names[k]
}

// Number is a telephone number as understood in one country.
type Number struct {
	// E164 is the international form with plus ("+14155550100"); empty unless
	// Kind is E164.
	E164 string
	// Local is what one dials in the country: with the trunk or the international
	// prefix where one is needed. For the other kinds it is the digits themselves.
	Local string
	// Dialled is what was written, without punctuation.
	Dialled string
	Kind    Kind
	// Country is the ISO code of the country that an E164 number belongs to, when
	// it is in the table; countries that share a code are not told apart.
	Country string
}

// String is the E.164 form where there is one, else the digits.
func (n Number) String() string {
	if n.E164 != "" {
		return n.E164
	}
	return n.Dialled
}

// Errors of [Parse]. Each is wrapped with what was wrong.
var (
	ErrEmpty  = errors.New("no number was given")
	ErrSyntax = errors.New("not a telephone number")
	ErrLength = errors.New("telephone number of impossible length")
)

const (
	maxRaw      = 64 // bytes that anyone may need to write a number
	maxE164     = 15 // digits, ITU-T E.164 §6
	minE164     = 7  // shortest numbers in use, with country code
	maxShort    = 6
	maxDialled  = 32
	internation = "+"
)

// Parse reads raw as somebody in the country iso would dial or write it: with
// plus, with the international or national prefix, or local. An unknown country
// leaves only plus and short forms. The error is or wraps ErrEmpty, ErrSyntax
// or ErrLength.
func Parse(raw, iso string) (Number, error) {
	d, err := clean(raw)
	if err != nil {
		return Number{}, err
	}
	home, known := Lookup(iso)
	emergency := unknownEmergency
	if known {
		emergency = home.Emergency
	}
	switch {
	case slices.Contains(emergency, d):
		return Number{Local: d, Dialled: d, Kind: EmergencyService, Country: home.ISO}, nil
	case strings.ContainsAny(d, "*#"):
		return Number{Local: d, Dialled: d, Kind: Feature, Country: home.ISO}, nil
	case d[0] == '+':
		return international(d[1:], d, home)
	}
	if known {
		if n, ok, err := dialled(d, home); ok || err != nil {
			return n, err
		}
	}
	if len(d) <= maxShort {
		return Number{Local: d, Dialled: d, Kind: Short, Country: home.ISO}, nil
	}
	if len(d) > maxE164 {
		return Number{}, fmt.Errorf("%w: %d digits, a number without prefix has at most %d", ErrLength, len(d), maxE164)
	}
	return Number{Local: d, Dialled: d, Kind: Local, Country: home.ISO}, nil
}

// dialled reads digits with the prefixes of home. ok is false when none fits.
func dialled(d string, home Country) (n Number, ok bool, err error) {
	if rest, found := strings.CutPrefix(d, home.International); found && len(rest) >= home.Carrier+minE164 {
		n, err = international(rest[home.Carrier:], d, home)
		return n, true, err
	}
	if home.Trunk != "" {
		if rest, found := strings.CutPrefix(d, home.Trunk); found {
			if home.national(rest) {
				return public(home, rest, d), true, nil
			}
			// 0 + carrier code + national number.
			if home.Carrier > 0 && len(rest) > home.Carrier && home.national(rest[home.Carrier:]) {
				return public(home, rest[home.Carrier:], d), true, nil
			}
		}
	}
	if (home.Trunk == "" || home.TrunkOptional) && home.national(d) && len(d) > maxShort {
		return public(home, d, d), true, nil
	}
	return Number{}, false, nil
}

// international reads the digits that follow the plus.
func international(d, asDialled string, home Country) (Number, error) {
	if len(d) < minE164 || len(d) > maxE164 {
		return Number{}, fmt.Errorf("%w: %d digits after the plus, it takes %d to %d with the country code", ErrLength, len(d), minE164, maxE164)
	}
	if d[0] == '0' {
		return Number{}, fmt.Errorf("%w: no country code starts with 0", ErrSyntax)
	}
	c, known := byCode(d, home)
	if !known {
		n := Number{E164: internation + d, Local: internation + d, Dialled: asDialled, Kind: E164}
		if home.International != "" && home.Carrier == 0 {
			n.Local = home.International + d
		}
		return n, nil
	}
	nsn := d[len(c.Code):]
	// "+44 (0)20 …" and "+49 0 30 …" are written by people who mean the national form.
	if c.Trunk == "0" && !c.national(nsn) && strings.HasPrefix(nsn, "0") && c.national(nsn[1:]) {
		nsn = nsn[1:]
	}
	if !c.national(nsn) {
		return Number{}, fmt.Errorf("%w: %q is not a number of %s (+%s takes %s digits)", ErrLength, internation+d, c.Name, c.Code, span(c.Min, c.Max))
	}
	n := public(c, nsn, asDialled)
	if c.ISO != home.ISO {
		n.Local = n.E164
		if home.International != "" && home.Carrier == 0 {
			n.Local = home.International + n.E164[1:]
		}
	}
	return n, nil
}

// public makes the number of c with the national digits nsn, seen from c.
func public(c Country, nsn, asDialled string) Number {
	return Number{E164: internation + c.Code + nsn, Local: c.Trunk + nsn, Dialled: asDialled, Kind: E164, Country: c.ISO}
}

func span(lo, hi int) string {
	if lo == hi {
		return fmt.Sprint(lo)
	}
	return fmt.Sprintf("%d to %d", lo, hi)
}

// clean removes the scheme and the punctuation of a written number. What is
// left is not empty and has only digits, * and #, after at most one leading plus.
func clean(raw string) (string, error) {
	if len(raw) > maxRaw {
		return "", fmt.Errorf("%w: it has %d characters", ErrLength, len(raw))
	}
	s := strings.TrimSpace(raw)
	if len(s) >= 4 && strings.EqualFold(s[:4], "tel:") { // RFC 3966 §3
		s, _, _ = strings.Cut(s[4:], ";")
	}
	if strings.HasPrefix(s, "+") {
		s = strings.Replace(s, "(0)", "", 1)
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9', r == '*', r == '#':
			b.WriteRune(r)
		case r == '+' && b.Len() == 0:
			b.WriteRune(r)
		case strings.ContainsRune(" -./()\u00a0\u2010\u2011\u2012\u2013\u202f", r): // RFC 3966 visual separators and what word processors make of them
		default:
			return "", fmt.Errorf("%w: it contains %q", ErrSyntax, r)
		}
	}
	d := b.String()
	if d == "" || d == "+" {
		return "", ErrEmpty
	}
	if d[0] == '+' && strings.ContainsAny(d, "*#") {
		return "", fmt.Errorf("%w: * and # have no place after a plus", ErrSyntax)
	}
	if len(d) > maxDialled {
		return "", fmt.Errorf("%w: %d digits", ErrLength, len(d))
	}
	return d, nil
}
