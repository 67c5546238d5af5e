package dtmf

import (
	"sync"
	"time"
)

// Way is how a key press was told.
type Way uint8

// The ways. A far end may use several at once for the same press.
const (
	InSound Way = iota // as tones in the sound
	Event              // as a telephone event (RFC 4733)
	Message            // in a message of the signalling (SIP INFO)
	Port               // by the device that a line is connected to
)

const (
	// twinTime is how far apart two ways may tell of the same press: a message is
	// sent when the key is let go, and tones wait in the jitter buffer.
	twinTime = time.Second
	// maxHeld bounds what a message may say of how long its key was held.
	maxHeld  = 10 * time.Second
	maxTwins = 32 // presses that are remembered
)

// Once takes the presses that several ways tell of and passes each on once: the
// first to tell counts, and what another way says within a second of the same key
// is the same press. The presses of each way are matched in their order, so that
// "11" stays two. The zero Once is ready; its methods may be called from any
// goroutine.
type Once struct {
	mu      sync.Mutex
	presses [maxTwins]press // mu; a ring, oldest overwritten
	next    int             // mu
}

// press is one that was passed on.
type press struct {
	key  byte
	at   time.Time
	told uint8 // bit for each way that has told of it
}

// Press reports whether a press, told at now, is news. held is how long the key was
// pressed before that, as far as the way says so.
func (o *Once) Press(w Way, key byte, now time.Time, held time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.presses { // oldest first
		p := &o.presses[(o.next+i)%maxTwins]
		if p.key != key || p.told == 0 || p.told>>w&1 == 1 {
			continue
		}
		if now.Sub(p.at) <= twinTime+min(held, maxHeld) {
			p.told |= 1 << w
			return false
		}
	}
	o.presses[o.next] = press{key, now, 1 << w}
	o.next = (o.next + 1) % maxTwins
	return true
}
