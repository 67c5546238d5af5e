package rtp

import "callbox/media"

// The concealment repeats the last pitch periods of what was heard, as ITU-T
// G.711 Appendix I does, but without its 3.75 ms of added delay: the seam at
// the start of a loss is smoothed by a decaying offset instead of by an overlap
// with sound held back.
const (
	plcHistory  = 400 // samples kept: three longest periods and a quarter
	plcMinPitch = 40  // 200 Hz
	plcMaxPitch = 120 // 66 Hz
	plcSteady   = 80  // samples at full level (10 ms)
	plcFaded    = 480 // samples after which there is silence (60 ms)
)

// plc conceals losses. It sees every sample that is played, in order.
type plc struct {
	hist   [plcHistory]int16  // the last samples played, oldest first
	frozen *[plcHistory]int16 // hist as it was when the loss began; nil before the first: most streams lose nothing
	lost   int                // samples concealed since; 0: no loss
	period int                // pitch period of frozen
	span   int                // length of what is repeated: 1 to 3 periods
	pos    int                // place in the span
	step   int                // jump at the start of the loss, fades over a quarter period
}

// reset forgets all: before the first sound there is silence.
func (p *plc) reset() { *p = plc{lost: plcFaded, frozen: p.frozen} }

// silent reports whether a loss has lasted until nothing is heard.
func (p *plc) silent() bool { return p.lost >= plcFaded }

// good enters samples that were received and smooths the end of a loss.
func (p *plc) good(s []int16) {
	if p.lost > 0 {
		// Appendix I: a quarter period, 4 ms longer per 10 ms lost, at most 10 ms.
		n := min(p.period/4+32*((p.lost+79)/80), 80, len(s))
		for i := range n {
			w := (i + 1) * 256 / (n + 1)
			s[i] = int16((int(p.next())*(256-w) + int(s[i])*w) >> 8)
		}
		p.lost = 0
	}
	p.push(s)
}

// conceal makes up samples and reports whether any of them can be heard.
func (p *plc) conceal(s []int16) bool {
	if p.silent() {
		clear(s)
		p.push(s)
		return false
	}
	if p.lost == 0 {
		p.begin()
	}
	for i := range s {
		s[i] = p.next()
	}
	p.push(s)
	return true
}

// begin freezes the history and finds its pitch.
func (p *plc) begin() {
	if p.frozen == nil {
		p.frozen = new([plcHistory]int16) // once in a stream's life
	}
	*p.frozen = p.hist
	p.period = pitch(p.frozen[:], plcMinPitch, plcMaxPitch)
	p.span, p.pos = p.period, 0
	p.step = int(p.frozen[plcHistory-1]) - int(p.frozen[plcHistory-1-p.period])
}

// next makes one sample.
func (p *plc) next() int16 {
	if p.silent() {
		return 0
	}
	// A single period repeated for long sounds like a buzz (Appendix I §I.2.5).
	if p.lost == 80 || p.lost == 160 {
		p.pos %= p.period
		p.span = p.period * (1 + p.lost/80)
	}
	v := p.at(p.pos)
	if p.pos++; p.pos == p.span {
		p.pos = 0
	}
	if q := p.period / 4; p.lost < q {
		v += p.step * (q - p.lost) / q
	}
	if p.lost >= plcSteady {
		v = v * (plcFaded - p.lost) / (plcFaded - plcSteady)
	}
	p.lost++
	return media.Clamp(int32(v))
}

// at is the sample at a place in the span. The last quarter period flows into
// what came before the span, so that the wrap to its start has no edge.
func (p *plc) at(pos int) int {
	i := plcHistory - p.span + pos
	v := int(p.frozen[i])
	q := p.period / 4
	if over := pos - (p.span - q); over >= 0 {
		w := (over + 1) * 256 / (q + 1)
		v = (v*(256-w) + int(p.frozen[i-p.span])*w) >> 8
	}
	return v
}

func (p *plc) push(s []int16) {
	if len(s) >= plcHistory {
		copy(p.hist[:], s[len(s)-plcHistory:])
		return
	}
	copy(p.hist[:], p.hist[len(s):])
	copy(p.hist[plcHistory-len(s):], s)
}

// pitch finds the lag between low and high at which the end of s is most like
// what came before: the largest normalised correlation over the last 20 ms,
// first on every second lag and sample, then around the best.
func pitch(s []int16, low, high int) int {
	best := bestLag(s, low, high, 2)
	return bestLag(s, max(low, best-1), min(high, best+1), 1)
}

func bestLag(s []int16, low, high, step int) int {
	win := min(160, len(s)-high)
	cur := s[len(s)-win:]
	best, bestLag := float32(-1), low
	for lag := low; lag <= high; lag += step {
		old := s[len(s)-win-lag:][:win]
		var corr, energy int64
		for i := 0; i < win; i += step {
			corr += int64(cur[i]) * int64(old[i])
			energy += int64(old[i]) * int64(old[i])
		}
		if corr <= 0 || energy == 0 {
			continue
		}
		if score := float32(corr) * (float32(corr) / float32(energy)); score > best {
			best, bestLag = score, lag
		}
	}
	return bestLag
}
