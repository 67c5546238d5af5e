package sim

import (
	"math"
	"strings"
	"time"

	"callbox/hal"
)

// CallerIDKind is how an exchange tells who calls.
type CallerIDKind string

// How exchanges tell who calls, and when.
const (
	Bellcore CallerIDKind = "bellcore" // FSK between the first ring and the second
	ETSI     CallerIDKind = "etsi"     // FSK of V.23, after the first ring
	SIN227   CallerIDKind = "sin227"   // V.23 after a reversal, before the first ring
	DTMFID   CallerIDKind = "dtmf"     // keys before the first ring
	Japan    CallerIDKind = "japan"    // V.23 after a reversal and short rings
)

// before reports whether the caller is told before the first ring.
func (k CallerIDKind) before() bool { return k == SIN227 || k == DTMFID || k == Japan }

// Network is how the exchanges of a country sound and ring, as data of the
// simulator's own: what the box believes can be checked against it.
type Network struct {
	Country                          string
	Dial, Ringback, Busy, Congestion Sound
	Ring                             []time.Duration // ring, pause, ring, pause …
	CallerID                         CallerIDKind
}

// Sound is a tone: frequencies in Hz, cut by on and off times in milliseconds; none
// is a tone without end. AM modulates its amplitude, in Hz.
type Sound struct {
	Hz    []float64
	AM    float64
	OnOff []int
}

// toneLevel is the peak of a tone of one frequency: −13 dBm0.
const toneLevel = 7200.0

// fill writes the tone's sound from sample number at on.
func (s Sound) fill(b []int16, at int64) {
	total := 0
	for _, n := range s.OnOff {
		total += n * hal.SampleRate / 1000
	}
	for i := range b {
		n := at + int64(i)
		if total > 0 {
			pos, on := int(n%int64(total)), true
			for _, step := range s.OnOff {
				if pos -= step * hal.SampleRate / 1000; pos < 0 {
					break
				}
				on = !on
			}
			if !on {
				b[i] = 0
				continue
			}
		}
		t := float64(n) / hal.SampleRate
		var v float64
		for _, f := range s.Hz {
			v += math.Sin(2 * math.Pi * f * t)
		}
		v *= toneLevel / math.Sqrt(float64(max(len(s.Hz), 1)))
		if s.AM > 0 {
			v *= (1 + math.Sin(2*math.Pi*s.AM*t)) / 2
		}
		b[i] = int16(v)
	}
}

func ringOf(n ...int) (out []time.Duration) {
	for _, v := range n {
		out = append(out, time.Duration(v)*time.Millisecond)
	}
	return out
}

// networks are the countries that can be simulated, the first one being the default.
func networks() []Network {
	hz := func(f ...float64) []float64 { return f }
	cut := func(onOff ...int) []int { return onOff }
	double := ringOf(400, 200, 400, 2000)
	return []Network{
		{Country: "US", Dial: Sound{Hz: hz(350, 440)}, Ringback: Sound{Hz: hz(440, 480), OnOff: cut(2000, 4000)},
			Busy: Sound{Hz: hz(480, 620), OnOff: cut(500, 500)}, Congestion: Sound{Hz: hz(480, 620), OnOff: cut(250, 250)},
			Ring: ringOf(2000, 4000), CallerID: Bellcore},
		{Country: "GB", Dial: Sound{Hz: hz(350, 440)}, Ringback: Sound{Hz: hz(400, 450), OnOff: cut(400, 200, 400, 2000)},
			Busy: Sound{Hz: hz(400), OnOff: cut(375, 375)}, Congestion: Sound{Hz: hz(400), OnOff: cut(400, 350, 225, 525)},
			Ring: double, CallerID: SIN227},
		{Country: "DE", Dial: Sound{Hz: hz(425)}, Ringback: Sound{Hz: hz(425), OnOff: cut(1000, 4000)},
			Busy: Sound{Hz: hz(425), OnOff: cut(480, 480)}, Congestion: Sound{Hz: hz(425), OnOff: cut(240, 240)},
			Ring: ringOf(1000, 4000), CallerID: ETSI},
		{Country: "FR", Dial: Sound{Hz: hz(440)}, Ringback: Sound{Hz: hz(440), OnOff: cut(1500, 3500)},
			Busy: Sound{Hz: hz(440), OnOff: cut(500, 500)}, Congestion: Sound{Hz: hz(440), OnOff: cut(250, 250)},
			Ring: ringOf(1500, 3500), CallerID: ETSI},
		{Country: "IN", Dial: Sound{Hz: hz(400), AM: 25}, Ringback: Sound{Hz: hz(400), AM: 25, OnOff: cut(400, 200, 400, 2000)},
			Busy: Sound{Hz: hz(400), OnOff: cut(750, 750)}, Congestion: Sound{Hz: hz(400), OnOff: cut(250, 250)},
			Ring: double, CallerID: DTMFID},
		{Country: "BR", Dial: Sound{Hz: hz(425)}, Ringback: Sound{Hz: hz(425), OnOff: cut(1000, 4000)},
			Busy: Sound{Hz: hz(425), OnOff: cut(250, 250)}, Congestion: Sound{Hz: hz(425), OnOff: cut(250, 250, 750, 250)},
			Ring: ringOf(1000, 4000), CallerID: DTMFID},
		{Country: "AU", Dial: Sound{Hz: hz(413, 438)}, Ringback: Sound{Hz: hz(413, 438), OnOff: cut(400, 200, 400, 2000)},
			Busy: Sound{Hz: hz(425), OnOff: cut(375, 375)}, Congestion: Sound{Hz: hz(425), OnOff: cut(375, 375)},
			Ring: double, CallerID: Bellcore},
		{Country: "JP", Dial: Sound{Hz: hz(400)}, Ringback: Sound{Hz: hz(400), AM: 15, OnOff: cut(1000, 2000)},
			Busy: Sound{Hz: hz(400), OnOff: cut(500, 500)}, Congestion: Sound{Hz: hz(400), OnOff: cut(500, 500)},
			Ring: ringOf(1000, 2000), CallerID: Japan},
	}
}

// NetworkOf is the network of a country by its ISO code; one that is not known is
// that of the US.
func NetworkOf(country string) Network {
	all := networks()
	for _, n := range all {
		if strings.EqualFold(n.Country, country) {
			return n
		}
	}
	return all[0]
}

// Countries are the codes of the countries that can be simulated.
func Countries() (out []string) {
	for _, n := range networks() {
		out = append(out, n.Country)
	}
	return out
}
