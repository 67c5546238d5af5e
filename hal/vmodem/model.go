package vmodem

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"callbox/hal/at"
)

// model is a make of modem: what differs between them, as data.
type model struct {
	name string
	// silence switches the detection of silence off, leave is the DLE code that ends
	// the duplex.
	silence string
	leave   byte
	// callerID are the commands that have callers told, by the way of the exchange.
	callerID func(way CallerID) []string
}

// CallerID is how the exchange tells who calls.
type CallerID string

// The ways; Auto is that of the country.
const (
	Auto     CallerID = ""
	Bellcore CallerID = "bellcore" // FSK after the first ring (North America, Australia)
	ETSI     CallerID = "etsi"     // FSK as V.23 (most of Europe)
	SIN227   CallerID = "uk"       // V.23 before the ring (United Kingdom)
	DTMF     CallerID = "dtmf"     // keys before the ring
	Japan    CallerID = "japan"
	NoCaller CallerID = "off"
)

// CallerIDs are all ways but Auto.
func CallerIDs() []CallerID { return []CallerID{Bellcore, ETSI, SIN227, DTMF, Japan, NoCaller} }

// conexant are modems with a CX930xx or its descendants.
func conexant() model {
	modes := map[CallerID]string{Bellcore: "00", Japan: "01", ETSI: "02", SIN227: "03", DTMF: "05"}
	return model{name: "Conexant CX930xx", silence: "AT+VSD=0,0", leave: '^', callerID: func(way CallerID) []string {
		if way == NoCaller {
			return []string{"AT-SCID=0", "AT+VCID=0"}
		}
		return []string{"AT!4886=" + modes[way], "AT!4892=FF", "AT-SCID=1", "AT+VCID=1", "AT-STE=3"}
	}}
}

// usRobotics are the USR5637 and its like.
func usRobotics() model {
	return model{name: "USR5637", silence: "AT+VSD=128,0", leave: 0x03, callerID: func(way CallerID) []string {
		if way == NoCaller {
			return []string{"AT+VCID=0"}
		}
		return []string{"AT+VCID=1"}
	}}
}

// Errors of a port that has no modem which the driver can use.
var errNoVoice = errors.New("the modem has no voice mode (class 8); use one of those in the hardware list")

// identify finds out what answers at the port.
func identify(ctx context.Context, e *at.Engine) (model, string, error) {
	r, err := e.Do(ctx, at.Command{Text: "AT+FCLASS=?", Any: true, Timeout: commandTime})
	if err != nil {
		return model{}, "", err
	}
	classes := strings.FieldsFunc(strings.Join(r.Lines, ","), func(c rune) bool { return strings.ContainsRune(" ,()", c) })
	voice := false
	for _, c := range classes {
		voice = voice || c == "8" || c == "8.0"
	}
	if !voice {
		return model{}, "", fmt.Errorf("%w: it has %s", errNoVoice, strings.Join(classes, " "))
	}
	product := answer(ctx, e, "ATI0")
	firmware := answer(ctx, e, "ATI3")
	m := conexant()
	if strings.HasPrefix(product, "56") && len(product) == 4 || strings.Contains(strings.ToUpper(firmware), "ROBOTICS") {
		m = usRobotics()
	}
	if !strings.Contains(methods(ctx, e), "131") {
		return m, firmware, errors.New("the modem has no µ-law at 8,000 Hz (method 131)")
	}
	return m, firmware, nil
}

// answer is the first line of what the modem says; a command that it does not know
// has none.
func answer(ctx context.Context, e *at.Engine, text string) string {
	r, err := e.Do(ctx, at.Command{Text: text, Any: true, Timeout: commandTime})
	if err != nil || len(r.Lines) == 0 {
		return ""
	}
	return r.Lines[0]
}

// methods are the numbers of the compression methods.
func methods(ctx context.Context, e *at.Engine) string {
	// Some modems list them in class 8 only.
	if _, err := e.Do(ctx, at.Command{Text: "AT+FCLASS=8", Timeout: commandTime}); err != nil {
		return ""
	}
	r, err := e.Do(ctx, at.Command{Text: "AT+VSM=?", Any: true, Timeout: commandTime})
	if err != nil {
		return ""
	}
	if _, err := e.Do(ctx, at.Command{Text: "AT+FCLASS=0", Timeout: commandTime}); err != nil {
		return ""
	}
	var out []string
	for _, l := range r.Lines {
		n, _, _ := strings.Cut(strings.TrimPrefix(l, "+VSM:"), ",")
		out = append(out, strings.TrimSpace(n))
	}
	return strings.Join(out, " ")
}

// wayOf is how exchanges of a country tell who calls.
func wayOf(country string) CallerID {
	switch country {
	case "US", "CA", "AU", "MX", "NZ", "HK", "SG", "CN", "KR", "TW", "":
		return Bellcore
	case "GB", "UK", "IE":
		return SIN227
	case "JP":
		return Japan
	case "IN", "BR", "NL", "DK", "SE", "FI", "IS", "SA":
		return DTMF
	}
	return ETSI
}

// t35 are the country codes of ITU-T T.35 that AT+GCI takes.
var t35 = map[string]string{
	"JP": "00", "AU": "09", "AT": "0A", "BE": "0F", "BR": "16", "BG": "1B", "CA": "20", "CN": "26", "CY": "2D", "CZ": "2E",
	"DK": "31", "FI": "3C", "FR": "3D", "DE": "42", "GR": "46", "HK": "50", "HU": "51", "IS": "52", "IN": "53", "ID": "54",
	"IE": "57", "IL": "58", "IT": "59", "KR": "61", "LI": "68", "LU": "69", "MY": "6C", "MT": "70", "MX": "73", "NL": "7B",
	"NZ": "7E", "NO": "82", "PH": "89", "PL": "8A", "PT": "8B", "RO": "8E", "SA": "98", "SG": "9C", "ZA": "9F", "ES": "A0",
	"SE": "A5", "CH": "A6", "TR": "AE", "GB": "B4", "US": "B5", "RU": "B8", "SK": "FB", "SI": "FC", "TW": "FE",
}
