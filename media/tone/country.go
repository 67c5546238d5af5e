package tone

import (
	"slices"
	"strings"
	"time"
)

// Country is the sound of one national network. Values come from open tone
// tables; its slices are shared and read-only.
type Country struct {
	Code        string // ISO 3166-1 alpha-2, upper case; the United Kingdom is "GB"
	Name        string
	Dial        Tone // go on and dial
	Stutter     Tone // dial tone when a message waits
	Ringback    Tone // the far phone rings
	Busy        Tone // the far phone is in use
	Congestion  Tone // no way through (reorder, fast busy)
	CallWaiting Tone // a second call arrives
	Howler      Tone // put the receiver back; only for a line that is parked
	Ring        Cadence
}

// DefaultCountry is the code of the country used when none is chosen.
const DefaultCountry = "US"

// ByCountry finds a country by its ISO code in any case; "uk" is accepted for "gb".
func ByCountry(code string) (Country, bool) {
	code = strings.ToUpper(code)
	if code == "UK" {
		code = "GB"
	}
	i := slices.IndexFunc(countries, func(c Country) bool { return c.Code == code })
	if i < 0 {
		return Country{}, false
	}
	return countries[i], true
}

// Codes lists the known countries' codes in alphabetical order. The slice is
// the caller's to keep.
func Codes() []string {
	codes := make([]string, len(countries))
	for i, c := range countries {
		codes[i] = c.Code
	}
	slices.Sort(codes)
	return codes
}

// ms makes a duration of whole milliseconds.
func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// steady is a sound without end.
func steady(hz ...float64) Tone { return Tone{Steps: []Step{{Hz: hz}}} }

// modulated is a sound of hz, its amplitude modulated by am, without end.
func modulated(hz, am float64) Tone {
	return Tone{Steps: []Step{{Hz: []float64{hz}, AM: am}}}
}

// pulsed cuts the endless tone t by a cadence: on, off, on, off … milliseconds.
func pulsed(t Tone, onOff ...int) Tone {
	var out Tone
	for i, n := range onOff {
		s := Step{Duration: ms(n)}
		if i%2 == 0 {
			s = t.Steps[0]
			s.Duration = ms(n)
		}
		out.Steps = append(out.Steps, s)
	}
	return out
}

// stuttered is ten short bursts of dial tone, then dial tone for good.
func stuttered(dial Tone) Tone {
	burst := pulsed(dial, 100, 100)
	var out Tone
	for range 10 {
		out.Steps = append(out.Steps, burst.Steps...)
	}
	out.From = len(out.Steps)
	out.Steps = append(out.Steps, dial.Steps[0])
	return out
}

// howlerGain makes a howler louder than the other tones, in dB.
const howlerGain = 3

// sweep climbs from 400 to 1,400 Hz twice a second: the howler of networks that
// do not prescribe another.
func sweep() Tone {
	var out Tone
	for hz := 400.0; hz <= 1400; hz += 100 {
		out.Steps = append(out.Steps, Step{Hz: []float64{hz}, Gain: howlerGain, Duration: ms(45)})
	}
	return out
}

// ring is a ring cadence in milliseconds.
func ring(hz float64, onOff ...int) Cadence {
	c := Cadence{Hz: hz}
	for _, n := range onOff {
		c.OnOff = append(c.OnOff, ms(n))
	}
	return c
}

// waiting is a call-waiting tone: 300 ms each 10 s.
func waiting(hz float64) Tone { return pulsed(steady(hz), 300, 9700) }

// countries is the table. It never changes.
var countries = []Country{
	{
		Code: "US", Name: "United States",
		Dial:        steady(350, 440),
		Stutter:     stuttered(steady(350, 440)),
		Ringback:    pulsed(steady(440, 480), 2000, 4000),
		Busy:        pulsed(steady(480, 620), 500, 500),
		Congestion:  pulsed(steady(480, 620), 250, 250),
		CallWaiting: waiting(440),
		Howler: Tone{Steps: []Step{
			{Hz: []float64{1400, 2060, 2450, 2600}, Gain: howlerGain, Duration: ms(100)},
			{Duration: ms(100)},
		}},
		Ring: ring(20, 2000, 4000),
	},
	{
		Code: "GB", Name: "United Kingdom",
		Dial: steady(350, 440),
		Stutter: Tone{Steps: []Step{
			{Hz: []float64{350, 440}, Duration: ms(750)},
			{Hz: []float64{440}, Duration: ms(750)},
		}},
		Ringback:    pulsed(steady(400, 450), 400, 200, 400, 2000),
		Busy:        pulsed(steady(400), 375, 375),
		Congestion:  pulsed(steady(400), 400, 350, 225, 525),
		CallWaiting: waiting(440),
		Howler:      sweep(),
		Ring:        ring(25, 400, 200, 400, 2000),
	},
	{
		Code: "DE", Name: "Germany",
		Dial:        steady(425),
		Stutter:     steady(425, 400),
		Ringback:    pulsed(steady(425), 1000, 4000),
		Busy:        pulsed(steady(425), 480, 480),
		Congestion:  pulsed(steady(425), 240, 240),
		CallWaiting: waiting(425),
		Howler:      sweep(),
		Ring:        ring(25, 1000, 4000),
	},
	{
		Code: "FR", Name: "France",
		Dial:        steady(440),
		Stutter:     stuttered(steady(440)),
		Ringback:    pulsed(steady(440), 1500, 3500),
		Busy:        pulsed(steady(440), 500, 500),
		Congestion:  pulsed(steady(440), 250, 250),
		CallWaiting: waiting(440),
		Howler:      sweep(),
		Ring:        ring(25, 1500, 3500),
	},
	{
		Code: "IN", Name: "India",
		Dial:        modulated(400, 25),
		Stutter:     stuttered(modulated(400, 25)),
		Ringback:    pulsed(modulated(400, 25), 400, 200, 400, 2000),
		Busy:        pulsed(steady(400), 750, 750),
		Congestion:  pulsed(steady(400), 250, 250),
		CallWaiting: waiting(425),
		Howler:      sweep(),
		Ring:        ring(25, 400, 200, 400, 2000),
	},
	{
		Code: "BR", Name: "Brazil",
		Dial:        steady(425),
		Stutter:     stuttered(steady(425)),
		Ringback:    pulsed(steady(425), 1000, 4000),
		Busy:        pulsed(steady(425), 250, 250),
		Congestion:  pulsed(steady(425), 250, 250, 750, 250),
		CallWaiting: waiting(425),
		Howler:      sweep(),
		Ring:        ring(25, 1000, 4000),
	},
	{
		Code: "AU", Name: "Australia",
		Dial:     steady(413, 438),
		Stutter:  stuttered(steady(413, 438)),
		Ringback: pulsed(steady(413, 438), 400, 200, 400, 2000),
		Busy:     pulsed(steady(425), 375, 375),
		Congestion: Tone{Steps: []Step{
			{Hz: []float64{425}, Duration: ms(375)},
			{Duration: ms(375)},
			{Hz: []float64{425}, Gain: -10, Duration: ms(375)},
			{Duration: ms(375)},
		}},
		CallWaiting: waiting(425),
		Howler:      Tone{Steps: []Step{{Hz: []float64{1500}, Gain: howlerGain}}},
		Ring:        ring(25, 400, 200, 400, 2000),
	},
	{
		Code: "ZA", Name: "South Africa",
		Dial:        modulated(400, 33),
		Stutter:     stuttered(modulated(400, 33)),
		Ringback:    pulsed(modulated(400, 33), 400, 200, 400, 2000),
		Busy:        pulsed(steady(400), 500, 500),
		Congestion:  pulsed(steady(400), 250, 250),
		CallWaiting: waiting(425),
		Howler:      sweep(),
		Ring:        ring(25, 400, 200, 400, 2000),
	},
	{
		Code: "JP", Name: "Japan",
		Dial:        steady(400),
		Stutter:     stuttered(steady(400)),
		Ringback:    pulsed(modulated(400, 15), 1000, 2000),
		Busy:        pulsed(steady(400), 500, 500),
		Congestion:  pulsed(steady(400), 500, 500),
		CallWaiting: waiting(425),
		Howler:      sweep(),
		Ring:        ring(16, 1000, 2000),
	},
}
