package tone

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Country is the sound of one national network; its slices are shared and
// read-only.
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
	// Information is the special information tone before an announcement that the
	// call cannot be completed (ITU-T E.180 §7): the same everywhere.
	Information Tone
	Ring        Cadence
	// Source is where the values come from. Assumed names the tones that it does not
	// give: they have the country's frequencies and the times that E.180 prefers.
	Source  string
	Assumed []string
}

// DefaultCountry is the code of the country used when none is chosen.
const DefaultCountry = "US"

// ByCountry finds a country by its ISO code in any case; "uk" is accepted for "gb".
func ByCountry(code string) (Country, bool) {
	code = strings.ToUpper(code)
	if code == "UK" {
		code = "GB"
	}
	if i := slices.IndexFunc(countries, func(c Country) bool { return c.Code == code }); i >= 0 {
		c := countries[i]
		c.Information = information
		return c, true
	}
	if i := slices.IndexFunc(rows, func(r row) bool { return r.code == code }); i >= 0 {
		return rows[i].country(), true
	}
	return Country{}, false
}

// Codes lists the known countries' codes in alphabetical order. The slice is
// the caller's to keep.
func Codes() []string {
	codes := make([]string, 0, len(countries)+len(rows))
	for _, c := range countries {
		codes = append(codes, c.Code)
	}
	for _, r := range rows {
		codes = append(codes, r.code)
	}
	slices.Sort(codes)
	return codes
}

// country makes the tones of a row. What tables do not give, the tone of a waiting
// call and of a message, and the howler, is as in other networks.
func (r row) country() Country {
	dial, ringback := parse(r.dial), parse(r.ringback)
	first := Tone{Steps: []Step{{Hz: dial.Steps[0].Hz, AM: dial.Steps[0].AM}}}
	c := Country{
		Code: r.code, Name: r.name, Source: r.source,
		Dial: dial, Stutter: stuttered(first), Ringback: ringback, Busy: parse(r.busy), Congestion: parse(r.congestion),
		CallWaiting: waiting(dial.Steps[0].Hz[0]), Howler: sweep(), Information: information, Ring: ringLike(ringback),
	}
	for i, name := range []string{"dial", "ringback", "busy", "congestion"} {
		if strings.Contains(r.assumed, "drbc"[i:i+1]) {
			c.Assumed = append(c.Assumed, name)
		}
	}
	return c
}

// parse makes a tone of a row's notation. The tests see to it that every row can
// be read.
func parse(text string) Tone {
	var t Tone
	for part := range strings.SplitSeq(text, ",") {
		sound, length, _ := strings.Cut(part, "/")
		n, _ := strconv.Atoi(length)
		s := Step{Duration: ms(n)}
		sound, am, _ := strings.Cut(sound, "*")
		s.AM, _ = strconv.ParseFloat(am, 64)
		for hz := range strings.SplitSeq(sound, "+") {
			if f, _ := strconv.ParseFloat(hz, 64); f > 0 {
				s.Hz = append(s.Hz, f)
			}
		}
		t.Steps = append(t.Steps, s)
	}
	return t
}

// ringLike is a ring in the rhythm in which the caller hears it, where a port can
// ring so: for no more than a third of the time, and two seconds in one round.
func ringLike(ringback Tone) Cadence {
	const hz = 25
	var on, total time.Duration
	c := Cadence{Hz: hz}
	for _, s := range ringback.Steps {
		if total += s.Duration; len(s.Hz) > 0 {
			on += s.Duration
		}
		c.OnOff = append(c.OnOff, s.Duration)
		if s.Duration < ms(100) || s.Duration > ms(10000) {
			total = 0
			break
		}
	}
	if 3*on > total || on > 2*time.Second {
		return ring(hz, 1000, 4000)
	}
	return c
}

// information is 950, 1,400 and 1,800 Hz, 330 ms each, and a second's pause (E.180
// §7).
var information = Tone{Steps: []Step{
	{Hz: []float64{950}, Duration: ms(330)}, {Hz: []float64{1400}, Duration: ms(330)}, {Hz: []float64{1800}, Duration: ms(330)},
	{Duration: ms(1000)},
}}

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
		Code: "US", Name: "United States", Source: northAmerican,
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
		Code: "GB", Name: "United Kingdom", Source: "BT SIN 350",
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
		Code: "DE", Name: "Germany", Source: tones2003,
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
		Code: "FR", Name: "France", Source: tones2003,
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
		Code: "IN", Name: "India", Source: "open tone tables",
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
		Code: "BR", Name: "Brazil", Source: "open tone tables",
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
		Code: "AU", Name: "Australia", Source: "ACIF S002:2001",
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
		Code: "ZA", Name: "South Africa", Source: "open tone tables (exchanges by Siemens)",
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
		Code: "JP", Name: "Japan", Source: "open tone tables",
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
