package sim

import "time"

const (
	ringerHalfMin = time.Second / (2 * 60) // a ringer answers to 16…60 Hz
	ringerHalfMax = time.Second / (2 * 16)
	ringerSlack   = 4 * time.Millisecond   // late timers of the box
	ringerAttack  = 150 * time.Millisecond // shorter is no ring
	maxBursts     = 1000
)

// Burst is one ring as the phone heard it.
type Burst struct {
	Start  time.Time
	Length time.Duration // so far, while it rings
	Hz     float64       // mean ringing frequency
}

// bell turns changes of the ringing voltage into bursts. Its owner's lock
// guards it.
type bell struct {
	on     bool // the voltage is there
	start  time.Time
	last   time.Time // latest turn
	turns  int
	heard  int // bursts that were long enough, ever
	bursts []Burst
	wake   chan struct{} // closed and replaced at each burst that is heard
}

// turn takes a change of RM or F/R.
func (b *bell) turn(now time.Time, on bool) {
	if !on {
		b.on = false
		return
	}
	d := now.Sub(b.last)
	if !b.on || d > ringerHalfMax+ringerSlack || (b.turns > 0 && d < ringerHalfMin-ringerSlack/4) {
		b.on, b.start, b.turns = true, now, 0
		b.last = now
		return
	}
	b.turns++
	b.last = now
	length := now.Sub(b.start)
	if length < ringerAttack {
		return
	}
	hz := float64(b.turns) / 2 / length.Seconds()
	if n := len(b.bursts); n > 0 && b.bursts[n-1].Start.Equal(b.start) {
		b.bursts[n-1].Length, b.bursts[n-1].Hz = length, hz
		return
	}
	b.heard++
	if len(b.bursts) == maxBursts {
		b.bursts = b.bursts[:copy(b.bursts, b.bursts[1:])]
	}
	b.bursts = append(b.bursts, Burst{Start: b.start, Length: length, Hz: hz})
	close(b.wake)
	b.wake = make(chan struct{})
}

// ringing reports whether the bell rings at now.
func (b *bell) ringing(now time.Time) bool {
	n := len(b.bursts)
	return b.on && n > 0 && b.bursts[n-1].Start.Equal(b.start) && now.Sub(b.last) <= ringerHalfMax+ringerSlack
}
