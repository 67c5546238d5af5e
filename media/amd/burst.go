package amd

import "math"

// Limits of the burst meter, in frames of 20 ms and dB.
const (
	bands       = 29   // of four bins, 188 to 3,812 Hz
	burstRise   = 12.0 // dB above what was before, and a burst begins
	burstFall   = 10.0 // dB below its mean, and it is over
	burstJump   = 8.0  // dB above its mean: it has only begun
	burstBefore = 3    // frames of quiet before it
	burstAfter  = 5    // frames of quiet after it
	burstLeast  = 10   // frames …
	burstLong   = 14   // … from which on they are many
)

// burst finds single sounds with quiet around them that do not change while they
// last: what a vocoder makes of a beep is none of the pure tones that [tones] look
// for, but neither a voice's words.
type burst struct {
	before        [burstBefore]float64 // levels of the last frames, newest first
	on            bool                 // one sounds, or has just ended
	began, frames int                  // frame number, and how many
	after         int                  // frames since its end
	sum, squares  float64              // of the level of its frames
	spectrum      [bands]float64       // sum of theirs

	// Of the last one that is over:
	alike float64 // length of the mean of its spectra, each of which is 1 long
	swing float64 // dB, standard deviation of its level
	level float64 // dBov
	hz    float64 // about where it is strongest
}

func newBurst() burst {
	b := burst{}
	for i := range b.before {
		b.before[i] = silence
	}
	return b
}

// frame takes frame n, which a measured; ok reports that a burst ended burstAfter
// frames ago, whatever it was.
func (b *burst) frame(n int, s sound, a *analyser) (ok bool) {
	most := silence
	for _, v := range b.before {
		most = max(most, v)
	}
	copy(b.before[1:], b.before[:])
	b.before[0] = s.level
	if !b.on {
		if s.active && s.level > most+burstRise {
			b.on = true
			b.begin(n)
		}
		return false
	}
	mean := b.sum / float64(max(1, b.frames))
	switch {
	case b.frames == 0 || s.active && s.level > mean+burstJump && b.frames <= 2:
		if b.frames > 0 {
			b.begin(n)
		}
		if s.active {
			b.take(s, a)
		} else {
			b.on = false
		}
	case s.active && s.level > mean+burstJump: // something else sets in
		b.on = false
	case s.active && s.level > mean-burstFall:
		if b.after > 1 { // one or two packets were lost, or it begins anew
			b.on = false
			return false
		}
		b.after = 0
		b.take(s, a)
	default:
		if b.after++; b.after >= burstAfter {
			b.on = false
			b.finish()
			return true
		}
	}
	return false
}

func (b *burst) begin(n int) {
	b.began, b.frames, b.after, b.sum, b.squares = n, 0, 0, 0, 0
	b.spectrum = [bands]float64{}
}

// take adds a frame's spectrum, as amplitudes whose squares sum to one.
func (b *burst) take(s sound, a *analyser) {
	b.frames++
	b.sum += s.level
	b.squares += s.level * s.level
	var power [bands]float64
	var total float64
	for i := range power {
		for _, p := range a.power[lowBin+4*i : lowBin+4*i+4] {
			power[i] += p
		}
		total += power[i]
	}
	if total <= 0 {
		return
	}
	for i, p := range power {
		b.spectrum[i] += math.Sqrt(p / total)
	}
}

// finish sums up.
func (b *burst) finish() {
	k := float64(b.frames)
	mean := b.sum / k
	b.level, b.swing = mean, math.Sqrt(max(0, b.squares/k-mean*mean))
	var norm float64
	top := 0
	for i, v := range b.spectrum {
		norm += v * v
		if v > b.spectrum[top] {
			top = i
		}
	}
	b.alike = math.Sqrt(norm) / k
	b.hz = (float64(lowBin+4*top) + 2) * binWidth
}

// isBeep reports whether it is likely what a vocoder makes of a beep: its spectra are
// alike and its level hardly changes. What is longer may be rougher.
func (b *burst) isBeep() bool {
	if b.frames < burstLeast || b.frames > beepMost*framesPerSecond || b.hz > beepHighest+100 {
		return false
	}
	return b.alike >= 0.97 && b.swing <= 2.3 || b.frames >= burstLong && b.alike >= 0.92 && b.swing <= 2.5
}

// surely reports whether nobody's voice is like it, nor a car's horn.
func (b *burst) surely() bool {
	return b.isBeep() && b.alike >= 0.972 && b.swing <= 1.8 && b.hz >= hootTone
}

// sets reports whether the sound that goes on, or was the last one, set in at about
// frame n, with quiet before it.
func (b *burst) sets(n int) bool { return max(b.began-n, n-b.began) <= 3 }
