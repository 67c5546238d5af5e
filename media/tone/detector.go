package tone

import (
	"math"
	"slices"
	"time"

	"callbox/media"
)

// Kind is a tone of the network by its meaning.
type Kind int

// The kinds of tone that a [Detector] tells.
const (
	NoTone          Kind = iota
	DialTone             // go on and dial
	RingbackTone         // the far phone rings
	BusyTone             // the far phone is in use; where congestion sounds the same, that too
	CongestionTone       // no way through
	InformationTone      // an announcement follows: the call cannot be completed
)

// String gives the kind for logs.
func (k Kind) String() string {
	names := [...]string{"none", "dial", "ringback", "busy", "congestion", "information"}
	if k < 0 || int(k) >= len(names) {
		return "unknown"
	}
	return names[k]
}

const (
	// toneFloor is the mean square of the softest tone that is heard: −45 dBm0.
	toneFloor = 8.2e3
	// toneShare is how much of all power must be at the tone's frequencies.
	toneShare = 0.85
	// steadyTime is how long a dial tone must last to be one: longer than any vowel.
	steadyTime = 1200 * time.Millisecond
	// maxRuns is how many sounds and pauses are remembered.
	maxRuns = 12
	// quietGap is a dropout that does not interrupt a tone, in samples: 40 ms.
	quietGap = 2 * media.FrameSamples
	// minRun is the shortest sound that counts, in samples: 50 ms.
	minRun = 400
	// Cadences may be off by a tenth and by 25 ms.
	slackShare, slackTime = 0.1, 25 * media.SampleRate / 1000
	// The parts of the special information tone: 330 ms ±70, gaps of 30 ms (E.180
	// §7), and what the edges of frames add.
	minPart, maxPart, maxPartGap = 240 * media.SampleRate / 1000, 420 * media.SampleRate / 1000, 60 * media.SampleRate / 1000
)

// spectrum is frequencies that sound together, as an orthonormal basis of all that
// they can be within one frame, whatever their phases: the share of a frame's power
// in it is exact also where the frequencies are too near for a Fourier transform.
type spectrum struct {
	hz    []float64
	am    float64
	basis [][media.FrameSamples]float32
}

// newSpectrum makes the basis (Gram and Schmidt). wide takes all within 50 Hz
// of each frequency.
func newSpectrum(hz []float64, am float64, wide bool) spectrum {
	s := spectrum{hz: hz, am: am}
	var all []float64
	for _, f := range hz {
		switch {
		case wide:
			all = append(all, f-33, f, f+33)
		case am > 0:
			all = append(all, f-am, f, f+am)
		default:
			all = append(all, f)
		}
	}
	for _, f := range all {
		for _, phase := range []float64{0, math.Pi / 2} {
			var v [media.FrameSamples]float64
			for i := range v {
				v[i] = math.Sin(2*math.Pi*f*float64(i)/media.SampleRate + phase)
			}
			for _, b := range s.basis {
				var dot float64
				for i := range v {
					dot += v[i] * float64(b[i])
				}
				for i := range v {
					v[i] -= dot * float64(b[i])
				}
			}
			var norm float64
			for _, x := range v {
				norm += x * x
			}
			if norm < 1e-3*media.FrameSamples { // it adds nothing
				continue
			}
			var b [media.FrameSamples]float32
			for i := range b {
				b[i] = float32(v[i] / math.Sqrt(norm))
			}
			s.basis = append(s.basis, b)
		}
	}
	return s
}

// power is that part of f's energy which is of the spectrum.
func (s *spectrum) power(f *media.Frame) float32 {
	var sum float32
	for k := range s.basis {
		b := &s.basis[k]
		var x, y float32
		for i := 0; i < len(f); i += 2 {
			x += float32(f[i]) * b[i]
			y += float32(f[i+1]) * b[i+1]
		}
		sum += (x + y) * (x + y)
	}
	return sum
}

// rhythm is a tone as sounds and pauses in turn, beginning with a sound.
type rhythm struct {
	kind  Kind
	steps []run
}

// run is one sound or pause. spec is the index of its spectrum, −1 for silence or
// anything else; n its length in samples.
type run struct{ spec, n int }

// Detector hears the tones of one network in a call's sound. It belongs to one
// goroutine; WriteFrame does not allocate.
type Detector struct {
	specs   []spectrum // those of the country, then the three of the information tone
	steady  []Kind     // by spectrum: what it is when it does not end
	info    int        // index of the first of the three
	rhythms []rhythm

	runs  [maxRuns]run // finished, oldest first
	n     int
	now   run
	alive uint32  // the spectra that the present tone may have; 0: it is no tone
	fresh uint32  // those that held its last frame
	gap   int     // samples for which the present tone was missing
	last  float32 // energy of the last frame
	edge  int     // samples that the tone had of the first frame in which it was missing
	told  Kind    // of the present tone
}

// NewDetector makes a detector for a country's tones.
func NewDetector(c Country) *Detector {
	d := &Detector{}
	d.add(DialTone, c.Dial)
	d.add(RingbackTone, c.Ringback)
	d.add(BusyTone, c.Busy)
	d.add(CongestionTone, c.Congestion)
	// What is one frequency is tried before what is several: a spectrum of more holds
	// the power of fewer.
	d.info = len(d.specs)
	for _, s := range information.Steps[:3] {
		d.specs = append(d.specs, newSpectrum(s.Hz, 0, true))
		d.steady = append(d.steady, NoTone)
	}
	d.now.spec = -1
	return d
}

// add learns a tone.
func (d *Detector) add(k Kind, t Tone) {
	var p rhythm
	for _, s := range t.Steps {
		at := -1
		if len(s.Hz) > 0 {
			at = slices.IndexFunc(d.specs, func(o spectrum) bool { return slices.Equal(o.hz, s.Hz) && o.am == s.AM })
			if at < 0 {
				at = len(d.specs)
				d.specs = append(d.specs, newSpectrum(s.Hz, s.AM, false))
				d.steady = append(d.steady, NoTone)
			}
			if s.Duration == 0 && d.steady[at] == NoTone {
				d.steady[at] = k
			}
		}
		n := media.SamplesIn(s.Duration)
		if m := len(p.steps); m > 0 && p.steps[m-1].spec == at {
			p.steps[m-1].n += n // 400 Hz twice with another level
			continue
		}
		p.steps = append(p.steps, run{at, n})
	}
	if h := len(p.steps) / 2; h > 0 && h%2 == 0 && slices.Equal(p.steps[:h], p.steps[h:]) {
		p.steps = p.steps[:h] // the halves differ in level only
	}
	for _, o := range d.rhythms {
		if slices.Equal(o.steps, p.steps) {
			return // it sounds like a tone that is known already
		}
	}
	if len(p.steps) > 1 {
		d.rhythms = append(d.rhythms, rhythm{k, p.steps})
	}
}

// WriteFrame listens to 20 ms and gives the tone that it is sure of since this
// frame, else NoTone. A tone that goes on is told once; after another sound, or
// seven seconds of silence, again.
func (d *Detector) WriteFrame(f *media.Frame) Kind {
	const frame = media.FrameSamples
	fits, energy := d.classify(f)
	last := d.last
	d.last = energy
	switch {
	case fits == 0 && d.alive == 0:
		d.now.n += frame
		return d.tell(d.lasting())
	case fits&d.alive != 0:
		// The frame before was a whole one of the tone, unless it was its first.
		if d.now.n >= 2*frame {
			d.alive &= d.fresh
		} else {
			d.alive = fits
		}
		if d.alive&fits == 0 {
			d.alive = fits
		}
		d.fresh = fits
		d.now.n += frame + d.gap
		d.now.spec = d.smallest(d.alive)
		d.gap = 0
		return d.tell(d.lasting())
	case fits == 0 && d.gap+frame <= quietGap:
		if d.gap += frame; d.gap == frame { // perhaps a dropout, or its last part
			d.edge = part(energy, last)
		}
		return NoTone
	}
	return d.tell(d.turn(fits, part(last, energy)))
}

// classify finds what a frame may be: a bit for each spectrum that holds it.
func (d *Detector) classify(f *media.Frame) (fits uint32, energy float32) {
	for _, v := range f {
		energy += float32(v) * float32(v)
	}
	if energy < toneFloor*media.FrameSamples {
		return 0, energy
	}
	for i := range d.specs {
		if d.specs[i].power(f) >= toneShare*energy {
			fits |= 1 << i
		}
	}
	return fits, energy
}

// smallest is the spectrum with the fewest frequencies of those that fit: one of
// more frequencies holds the sound of fewer.
func (d *Detector) smallest(fits uint32) int {
	best := -1
	for i := range d.specs {
		if fits>>i&1 == 1 && (best < 0 || len(d.specs[i].basis) < len(d.specs[best].basis)) {
			best = i
		}
	}
	return best
}

// part is how many samples of a frame a sound has that has full energy in the next,
// or had it in the last.
func part(energy, full float32) int {
	if full <= 0 {
		return 0
	}
	return int(media.FrameSamples * min(energy/full, 1))
}

// turn ends the present run and begins another: a tone that may be any of fits, or
// without any something else. edge is what such a tone may have had of the frame
// before.
func (d *Detector) turn(fits uint32, edge int) Kind {
	ended, pause := d.now, 0
	if d.alive != 0 {
		ended.n += d.edge
		pause = d.gap - d.edge
		edge = 0
	} else {
		if edge > media.FrameSamples*9/10 {
			edge = 0 // something else was there
		}
		ended.n -= edge
	}
	tone := d.alive != 0
	d.alive, d.fresh, d.gap, d.edge = fits, fits, 0, 0
	d.now = run{d.smallest(fits), media.FrameSamples + edge}
	if fits == 0 {
		d.now.n += pause
	}
	if tone && ended.n < minRun {
		d.n, d.told = 0, NoTone // a syllable, not a tone
		return NoTone
	}
	d.push(ended)
	if tone && fits != 0 {
		d.push(run{-1, pause})
	}
	return d.match()
}

func (d *Detector) push(r run) {
	if r.n <= 0 {
		return
	}
	if d.n == maxRuns {
		copy(d.runs[:], d.runs[1:])
		d.n--
	}
	d.runs[d.n] = r
	d.n++
}

// lasting is what the present run means by its length alone.
func (d *Detector) lasting() Kind {
	switch {
	case d.now.spec < 0:
		if d.now.n > 7*media.SampleRate {
			d.n, d.told = 0, NoTone
		}
		return NoTone
	case d.now.spec == d.info+2 && d.now.n >= minPart && d.informed():
		return InformationTone
	case d.now.spec < d.info && d.now.n >= media.SamplesIn(steadyTime) && d.longest(d.now.spec) < d.now.n:
		return d.steady[d.now.spec]
	}
	return NoTone
}

// longest is the length of the longest sound of a spectrum in the rhythms, with
// room.
func (d *Detector) longest(spec int) int {
	n := 0
	for _, p := range d.rhythms {
		for _, s := range p.steps {
			if s.spec == spec {
				n = max(n, s.n+s.n/8+2*slackTime)
			}
		}
	}
	return n
}

// informed reports whether the first two parts of the information tone came just
// before the present sound.
func (d *Detector) informed() bool {
	want := d.info + 1
	for i := d.n - 1; i >= 0; i-- {
		r := d.runs[i]
		switch {
		case r.spec == -1 && r.n <= maxPartGap:
		case r.spec == want && r.n >= minPart && r.n <= maxPart:
			if want == d.info {
				return true
			}
			want--
		default:
			return false
		}
	}
	return false
}

// match compares what was heard with the rhythms, when a sound or a pause has ended:
// a whole round must have been heard, and a pause before it does not count.
func (d *Detector) match() Kind {
	best, least := NoTone, 2.0
	for i := range d.rhythms {
		p := &d.rhythms[i]
		need := len(p.steps)
		if on := p.steps[0].n; on < media.SampleRate && need == 2 {
			need = 5 // short tones are heard three times
		}
		for first := range p.steps {
			if off := p.misfit(d.runs[:d.n], first, need+first%2); off < least {
				best, least = p.kind, off
			}
		}
	}
	return best
}

// misfit says how far the last need runs are from the rhythm's, the oldest being
// step first: at most 1 is as far as they may be. A pause before all does not count.
func (p *rhythm) misfit(runs []run, first, need int) float64 {
	const none = 10
	if len(runs) < need {
		return none
	}
	worst := 0.0
	for i, r := range runs[len(runs)-need:] {
		s := p.steps[(first+i)%len(p.steps)]
		switch {
		case r.spec != s.spec:
			return none
		case i == 0 && s.spec < 0:
			continue
		}
		slack := slackShare*float64(s.n) + slackTime
		if worst = max(worst, math.Abs(float64(r.n-s.n))/slack); worst > 1 {
			return none
		}
	}
	return worst
}

// tell gives k when it is news.
func (d *Detector) tell(k Kind) Kind {
	if k == NoTone || k == d.told {
		return NoTone
	}
	d.told = k
	return k
}
