package fxo

import (
	"sync"
	"time"

	"callbox/media"
	"callbox/media/dtmf"
)

// Times of the keys, in frames of 20 ms.
const (
	heedFrames = 12 // that a key which the port alone reports waits for doubts
	ownFrames  = 25 // for which a key that the box pressed may come back as an echo
	heedRoom   = 8  // keys that wait; a far end that presses faster is no finger
)

// keys makes presses of what two listeners say: the detector in the sound, and the
// port, which hears the far end without the sound's way to the box but is taken in by
// voices. Each press is told once, whoever hears it. What the port alone reports counts
// unless somebody there speaks at that moment: it may have taken the tone out of the sound. A
// key that the box itself presses on the line is nobody's.
//
// The goroutine that hears gives it frames, the one that speaks what the box says, and
// the line's the reports.
type keys struct {
	mu     sync.Mutex // guards what follows
	n      int64      // frames heard
	once   dtmf.Once
	heeded [heedRoom]report // reports that wait, oldest first
	count  int
	own    byte // that the box pressed last
	ownAt  int64
	out    [1 + heedRoom]byte // what hears gives
}

// report is a key that the port has told of.
type report struct {
	key byte
	at  int64
}

// begin forgets the call before.
func (k *keys) begin() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.n, k.count, k.own, k.once = 0, 0, 0, dtmf.Once{}
}

// says notes that the box presses key on the line; 0: none.
func (k *keys) says(key byte) {
	if key == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.own, k.ownAt = key, k.n
}

// reports takes a key from the port.
func (k *keys) reports(key byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.mine(key) && k.count < len(k.heeded) {
		k.heeded[k.count] = report{key, k.n}
		k.count++
	}
}

// mine reports whether a key is the echo of one that the box pressed; mu is held.
func (k *keys) mine(key byte) bool { return key == k.own && k.n-k.ownAt <= ownFrames }

// hears takes a frame: key is what the detector found in it, 0 for none, and voice
// tells whether somebody speaks. It gives the keys that were pressed, valid until the
// next call.
func (k *keys) hears(key byte, voice bool) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.n++
	out := k.out[:0]
	if voice {
		k.count = 0
	}
	if k.mine(key) {
		key = 0
	}
	// A report waits until it is old enough, or until the sound has gone on to another key.
	for k.count > 0 && (k.n-k.heeded[0].at >= heedFrames || key != 0 && k.heeded[0].key != key) {
		r := k.heeded[0]
		copy(k.heeded[:], k.heeded[1:k.count])
		k.count--
		if k.once.Press(dtmf.Port, r.key, clock(r.at), 0) {
			out = append(out, r.key)
		}
	}
	if key != 0 && k.once.Press(dtmf.InSound, key, clock(k.n), 0) {
		out = append(out, key)
	}
	return out
}

// clock is the time after n frames, for comparisons.
func clock(n int64) time.Time { return time.Unix(0, 0).Add(time.Duration(n) * media.FrameDuration) }
