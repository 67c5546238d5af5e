package fsk

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Message is what a telephone is told.
type Message struct {
	// Waiting says that this is no call but the lamp of waiting messages; Lamp is
	// then whether it is to be lit, and all other fields are empty.
	Waiting, Lamp bool
	// When is the local time of the call to the minute; zero is left out. Reading
	// gives the present year, which is not sent.
	When time.Time
	// Number is who calls, digits; empty says why in NoNumber. Name is the same.
	Number, Name     string
	NoNumber, NoName Absence
}

// Absence is why there is no number or name.
type Absence byte

// The two reasons (GR-31-CORE).
const (
	Unavailable Absence = 'O' // nobody knows it
	Private     Absence = 'P' // the caller does not want it to be shown
)

// Form is how a message is written.
type Form int

// The forms.
const (
	// Multiple is MDMF: parameters, among them a name.
	Multiple Form = iota
	// Single is SDMF: date and number.
	Single
	// ETSI is MDMF that begins with the call's type (EN 300 659-3 §5.4.1).
	ETSI
)

// Message types and parameters (GR-30-CORE, EN 300 659-3 §5.3).
const (
	typeSingle        = 0x04
	typeSingleWaiting = 0x06
	typeCall          = 0x80
	typeWaiting       = 0x82

	paramDate     = 0x01
	paramNumber   = 0x02
	paramDialable = 0x03
	paramNoNumber = 0x04
	paramName     = 0x07
	paramNoName   = 0x08
	paramLamp     = 0x0B
	paramCallType = 0x11
)

// Limits of what is sent: old displays have room for no more.
const (
	maxNumber = 20
	maxName   = 15
	maxData   = 255
)

// ErrMessage is wrapped by the errors of Parse.
var ErrMessage = errors.New("not a caller id message")

// Encode writes m in a form, with its checksum. A number loses what is no digit,
// * or #; a name is folded to ASCII and cut to 15 letters.
func (m Message) Encode(f Form) []byte {
	var b []byte
	switch {
	case m.Waiting && f == Single:
		c := byte(0x6F)
		if m.Lamp {
			c = 0x42
		}
		b = []byte{typeSingleWaiting, 3, c, c, c}
	case m.Waiting:
		v := byte(0)
		if m.Lamp {
			v = 0xFF
		}
		b = []byte{typeWaiting, 3, paramLamp, 1, v}
	case f == Single:
		b = append([]byte{typeSingle, 0}, m.date()...)
		b = append(b, m.numberOrWhy()...)
		b[1] = byte(len(b) - 2)
	default:
		b = m.multiple(f)
	}
	sum := byte(0)
	for _, v := range b {
		sum += v
	}
	return append(b, -sum)
}

// multiple is the MDMF of a call, without its checksum.
func (m Message) multiple(f Form) []byte {
	b := []byte{typeCall, 0}
	param := func(t byte, v string) {
		b = append(b, t, byte(len(v)))
		b = append(b, v...)
	}
	if f == ETSI {
		param(paramCallType, "\x01") // a voice call
	}
	if !m.When.IsZero() {
		param(paramDate, m.date())
	}
	if digits(m.Number) != "" {
		param(paramNumber, digits(m.Number))
	} else {
		param(paramNoNumber, m.numberOrWhy())
	}
	switch name := fold(m.Name); {
	case name != "":
		param(paramName, name)
	case m.NoName != 0:
		param(paramNoName, string(m.NoName))
	}
	b[1] = byte(len(b) - 2)
	return b
}

// date is MMDDHHMM.
func (m Message) date() string {
	when := m.When
	if when.IsZero() {
		return "01010000"
	}
	return when.Format("01021504")
}

// numberOrWhy is the number, or the letter that says why there is none.
func (m Message) numberOrWhy() string {
	if n := digits(m.Number); n != "" {
		return n
	}
	if m.NoNumber == 0 {
		return string(Unavailable)
	}
	return string(m.NoNumber)
}

// digits is what of a number can be shown.
func digits(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r >= '0' && r <= '9' || r == '*' || r == '#' {
			b.WriteRune(r)
		}
	}
	return b.String()[:min(b.Len(), maxNumber)]
}

// folded are letters that displays do not have, as others write them.
var folded = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "Ä", "Ae", "Ö", "Oe", "Ü", "Ue", "ß", "ss",
	"á", "a", "à", "a", "â", "a", "ã", "a", "å", "a", "æ", "ae", "ç", "c", "é", "e", "è", "e", "ê", "e", "ë", "e",
	"í", "i", "ì", "i", "î", "i", "ï", "i", "ñ", "n", "ó", "o", "ò", "o", "ô", "o", "õ", "o", "ø", "o", "œ", "oe",
	"ú", "u", "ù", "u", "û", "u", "ý", "y", "ÿ", "y", "Á", "A", "À", "A", "Â", "A", "Ã", "A", "Å", "A", "Æ", "Ae",
	"Ç", "C", "É", "E", "È", "E", "Ê", "E", "Ë", "E", "Í", "I", "Î", "I", "Ï", "I", "Ñ", "N", "Ó", "O", "Ô", "O",
	"Õ", "O", "Ø", "O", "Œ", "Oe", "Ú", "U", "Û", "U", "Ý", "Y")

// fold is a name as an old display can show it.
func fold(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || r == 0x7f:
			return -1
		case r > 0x7f:
			return '?'
		}
		return r
	}, folded.Replace(s))
	s = strings.TrimSpace(s)
	return strings.TrimSpace(s[:min(len(s), maxName)])
}

// Parse reads a message with its checksum. now gives the year of When. The error
// wraps ErrMessage.
func Parse(b []byte, now time.Time) (Message, error) {
	var m Message
	if len(b) < 3 || len(b) != int(b[1])+3 {
		return m, fmt.Errorf("%w: %d bytes", ErrMessage, len(b))
	}
	sum := byte(0)
	for _, v := range b {
		sum += v
	}
	if sum != 0 {
		return m, fmt.Errorf("%w: the checksum is wrong", ErrMessage)
	}
	data := b[2 : len(b)-1]
	switch b[0] {
	case typeSingle:
		if len(data) < 9 {
			return m, fmt.Errorf("%w: SDMF of %d bytes", ErrMessage, len(data))
		}
		m.setDate(data[:8], now)
		m.setNumber(data[8:])
		return m, nil
	case typeSingleWaiting:
		m.Waiting, m.Lamp = true, len(data) > 0 && data[0] == 0x42
		return m, nil
	case typeCall, typeWaiting:
		m.Waiting = b[0] == typeWaiting
		return m, m.params(data, now)
	}
	return m, fmt.Errorf("%w: type %#02x", ErrMessage, b[0])
}

// params reads the parameters of MDMF; unknown ones are passed over.
func (m *Message) params(data []byte, now time.Time) error {
	for len(data) > 0 {
		if len(data) < 2 || len(data) < 2+int(data[1]) {
			return fmt.Errorf("%w: a parameter is cut off", ErrMessage)
		}
		t, v := data[0], data[2:2+int(data[1])]
		data = data[2+len(v):]
		if len(v) == 0 {
			continue
		}
		switch t {
		case paramDate:
			m.setDate(v, now)
		case paramNumber, paramDialable:
			m.Number = printable(v)
		case paramNoNumber:
			m.NoNumber = Absence(v[0])
		case paramName:
			m.Name = printable(v)
		case paramNoName:
			m.NoName = Absence(v[0])
		case paramLamp:
			m.Lamp = v[0] != 0
		}
	}
	return nil
}

// setNumber takes a number, or the letter that says why there is none.
func (m *Message) setNumber(v []byte) {
	if len(v) == 1 && (v[0] == byte(Unavailable) || v[0] == byte(Private)) {
		m.NoNumber = Absence(v[0])
		return
	}
	m.Number = printable(v)
}

// setDate takes MMDDHHMM; what is none is left out.
func (m *Message) setDate(v []byte, now time.Time) {
	t, err := time.ParseInLocation("200601021504", fmt.Sprintf("%04d%s", now.Year(), v), now.Location())
	if err == nil {
		m.When = t
	}
}

// printable is v without what no display shows.
func printable(v []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, string(v))
}
