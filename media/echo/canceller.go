package echo

import (
	"fmt"
	"math"
	"time"

	"callbox/media"
)

// Limits of a tail, and what a zero [Config.Tail] is.
const (
	MinTail     = 16 * time.Millisecond
	MaxTail     = 64 * time.Millisecond
	DefaultTail = 32 * time.Millisecond
)

// Config says how a [Canceller] works. The zero value is useful.
type Config struct {
	// Tail is how long the line answers, beyond the bulk delay: MinTail to
	// MaxTail; 0 is DefaultTail. It costs computing time in proportion.
	Tail time.Duration
	// Linear leaves out the suppressor and the comfort noise.
	Linear bool
	// KeepTones leaves the canceller at work whatever tones are heard.
	KeepTones bool
}

// Validate reports what is wrong with c.
func (c Config) Validate() error {
	if c.Tail != 0 && (c.Tail < MinTail || c.Tail > MaxTail) {
		return fmt.Errorf("echo tail of %v: want %v to %v", c.Tail, MinTail, MaxTail)
	}
	return nil
}

// Stats say what a [Canceller] does.
type Stats struct {
	Frames     uint64 // frames since New
	DoubleTalk uint64 // of these, frames in which the near party was heard beside the far one
	Disabled   uint64 // of these, frames that were let through because of a tone
	Adopted    uint64 // times that the foreground took over the background's taps
	// ReturnLoss is how much weaker the line's echo is than what the line was told
	// (ERL), Enhancement how much the filter takes off that (ERLE), both in dB and
	// over about the last two seconds in which only the far party spoke. Known says
	// whether there were any.
	ReturnLoss, Enhancement float64
	Known                   bool
}

const (
	blockSamples = 32 // 4 ms: the step in which powers are compared
	blocks       = media.FrameSamples / blockSamples

	farFloor   = 260    // mean square of a far party that speaks: −60 dBm0
	lineLoss   = 60     // far to echo, in power, of a usual line: with less sound than this beside noise nothing is learned
	stepSize   = 0.4    // of the background filter
	minNoise   = 4      // mean square, about −78 dBm0: quieter lines count as this
	talkFactor = 6      // residual beyond what the filter is known to leave
	worstERL   = 0.3    // share of the far power that an echo can have: G.168 wants 6 dB
	talkHang   = 10     // blocks for which the near party goes on talking
	leakFloor  = 3.2e-5 // −45 dB: better is not believed
	highPass   = 0.99   // pole of the DC filter: 40 Hz
	statShare  = 1.0 / 100
	toneGain   = 1000 // prediction gain of a tone, in power: 30 dB
)

// Canceller takes the echo out of one line's sound. One goroutine calls Process;
// nothing in it allocates.
type Canceller struct {
	cfg Config
	n   int // taps

	far  history // what the line was told
	near [media.FrameSamples + lpcOrder]float32
	err  [media.FrameSamples + lpcOrder]float32 // what the foreground leaves

	fore, back []float32 // taps, the oldest sample's first
	energy     float32   // of the whitened samples under the background filter
	white      predictor
	tonal      bool // the far sound is too narrow to learn from

	farDC, nearDC dcFilter
	scale         powers // of the present block, and smoothed
	fit           fit
	talk          int // blocks left for which the near party talks
	leak          float32
	sup           suppressor
	tones         disabler

	stats              Stats
	farSum, echoSum    float64 // for ReturnLoss
	nearSum, residueSm float64 // for Enhancement
}

// New makes a canceller that knows nothing of its line yet.
func New(c Config) (*Canceller, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Tail == 0 {
		c.Tail = DefaultTail
	}
	n := media.SamplesIn(c.Tail) &^ 7
	e := &Canceller{cfg: c, n: n, fore: make([]float32, n), back: make([]float32, n)}
	e.far.init(n)
	e.Reset()
	return e, nil
}

// Reset forgets the line, but not the counters.
func (c *Canceller) Reset() {
	clear(c.fore)
	clear(c.back)
	c.far.clear()
	c.near, c.err = [len(c.near)]float32{}, [len(c.err)]float32{}
	c.farDC, c.nearDC, c.scale, c.fit = dcFilter{}, dcFilter{}, powers{}, fit{}
	c.talk, c.leak, c.tonal = 0, 1, false
	c.sup.reset()
	c.tones.reset()
}

// Stats gives the counters and the measured losses. Only the goroutine of Process
// may call it.
func (c *Canceller) Stats() Stats {
	s := c.stats
	if s.Known = c.echoSum > 0 && c.residueSm > 0; s.Known {
		s.ReturnLoss = 10 * math.Log10(c.farSum/c.echoSum)
		s.Enhancement = 10 * math.Log10(c.nearSum/c.residueSm)
	}
	return s
}

// Process takes the echo of far out of near. far is what the line was told one
// bulk delay before near was heard.
func (c *Canceller) Process(far, near *media.Frame) {
	c.stats.Frames++
	c.load(far, near)
	if !c.cfg.KeepTones {
		c.tones.hear(far, near)
		if c.tones.off() {
			c.stats.Disabled++
			c.sup.open()
			copy(c.err[lpcOrder:], c.near[lpcOrder:])
			return // near is untouched
		}
	}
	active := c.far.loud()
	if active {
		c.whiten()
	}
	double := false
	for b := range blocks {
		c.block(b, active)
		double = double || (active && c.talk > 0)
	}
	if double {
		c.stats.DoubleTalk++
	}
	c.sup.learn(c.err[:], active)
	for i := range near {
		near[i] = media.Clamp(int32(math.Round(float64(c.err[lpcOrder+i]))))
	}
}

// load takes a frame of both directions in, without what is below the voice.
func (c *Canceller) load(far, near *media.Frame) {
	c.far.shift()
	copy(c.near[:], c.near[media.FrameSamples:])
	copy(c.err[:], c.err[media.FrameSamples:])
	in, out := c.far.newest(), c.near[lpcOrder:]
	for i := range far {
		in[i] = c.farDC.next(float32(far[i]))
		out[i] = c.nearDC.next(float32(near[i]))
	}
	c.far.measure()
}

// whiten makes the far sound flat, with all that is under the filter, so that
// the background learns all frequencies alike. A tone teaches nothing about the
// others: nothing is learned from it (G.168 §6.4.2.7).
func (c *Canceller) whiten() {
	gain := c.white.fit(c.far.raw[len(c.far.raw)-lpcWindow:])
	c.tonal = gain > toneGain
	c.white.apply(c.far.white, c.far.raw)
	first := c.far.white[1:][:c.n]
	c.energy = dot(first, first)
}

// block runs both filters over 4 ms.
func (c *Canceller) block(b int, active bool) {
	at := b * blockSamples
	var p sums
	for i := at; i < at+blockSamples; i++ {
		d := c.near[lpcOrder+i]
		var y float32
		if active {
			y = dot(c.fore, c.far.raw[lpcOrder+1+i:])
		}
		c.err[lpcOrder+i] = d - y
		p.near += d * d
		p.echo += y * y
		p.left += (d - y) * (d - y)
	}
	if active && !c.tonal {
		c.learn(at, &p)
	}
	p.far = c.far.power(b)
	c.scale.add(&p, c.far.loudest(b))
	c.judge(active)
	if active && !c.tonal {
		c.adopt(&p)
	}
	if c.cfg.Linear {
		return
	}
	quiet := active && c.talk == 0 && !c.tones.linear()
	c.sup.apply(c.err[lpcOrder+at:][:blockSamples], quiet)
}

// learn runs the background filter over the block: normalised least mean squares
// on the whitened sound (Haykin, Adaptive Filter Theory, ch. 6).
func (c *Canceller) learn(at int, p *sums) {
	v := c.sup.floor() * c.white.noiseGain()
	flat := c.energy / float32(c.n)
	small := float32(c.n) * (lineLoss*v + 8*float32(math.Sqrt(float64(v*flat))))
	for i := at; i < at+blockSamples; i++ {
		x := c.far.white[1+i:][:c.n]
		if i > 0 {
			old, new := c.far.white[i], x[c.n-1]
			c.energy = max(c.energy+new*new-old*old, 0)
		}
		d := c.white.at(c.near[i:])
		e := d - dot(c.back, x)
		axpy(c.back, x, stepSize*e/(c.energy+small))
		f := c.white.at(c.err[i:])
		p.backLeft += e * e
		p.foreLeft += f * f
	}
}

// judge decides whether the near party talks, and measures the line when not.
func (c *Canceller) judge(active bool) {
	s, noise := &c.scale, c.sup.floor()
	limit := talkFactor*c.leak*s.echoPeak + 4*noise
	if c.leak > 0.5 { // nothing is known yet but how strong an echo can be
		limit = worstERL*s.farPeak + 4*noise
	}
	switch {
	case s.left > limit && s.near > limit/2:
		if s.over++; s.over >= 2 {
			c.talk = talkHang
		}
	default:
		s.over = 0
		c.talk = max(c.talk-1, 0)
	}
	if !active || c.talk > 0 || c.tonal || s.near < 16*noise {
		return
	}
	c.farSum += (float64(s.farPeak) - c.farSum) * statShare
	c.echoSum += (float64(s.near) - c.echoSum) * statShare
	c.nearSum += (float64(s.near) - c.nearSum) * statShare
	c.residueSm += (float64(max(s.left, 1)) - c.residueSm) * statShare
	if s.echo < 16*noise {
		return
	}
	r := max(s.left-noise, 0) / s.echo
	if r > c.leak {
		c.leak += (min(r, 8*c.leak) - c.leak) * 0.05
	} else {
		c.leak += (r - c.leak) * 0.02
	}
	c.leak = min(max(c.leak, leakFloor), 1)
}

// adopt lets the foreground take over what the background has learned, or the
// background start again from the foreground.
func (c *Canceller) adopt(p *sums) {
	switch c.fit.compare(p.foreLeft, p.backLeft, c.talk > 0) {
	case better:
		if dot(c.back, c.back) > 1 { // more than it was told cannot come back
			copy(c.back, c.fore)
			return
		}
		copy(c.fore, c.back)
		c.stats.Adopted++
		if c.talk > 0 { // it was no talk, it was another echo
			c.talk, c.leak = 0, 1
		}
	case worse:
		copy(c.back, c.fore)
	case alike:
	}
}
