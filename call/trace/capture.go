package trace

import (
	"cmp"
	"slices"
	"time"
)

// Capture writes what is remembered of a call, and then what goes on in it, as a
// capture file: its messages and its sound. It is used by one goroutine.
type Capture struct {
	ring  *Ring
	sound *Sound
	call  string

	begun   bool
	written map[uint64]bool   // entries by their number
	heard   map[string]uint64 // dialogs with sound, and how far it is written
}

// NewCapture begins a capture of a call.
func NewCapture(ring *Ring, sound *Sound, call string) *Capture {
	return &Capture{ring: ring, sound: sound, call: call, written: map[uint64]bool{}, heard: map[string]uint64{}}
}

// Next gives what was not given before as a part of a pcapng file, empty when
// there is nothing; dialogs are those that the caller knows of, as for [Ring.Call].
func (c *Capture) Next(dialogs ...string) []byte {
	var fresh []Packet
	entries, keys := c.ring.of(c.call, dialogs)
	for _, e := range entries {
		if !c.written[e.seq] && !e.IsEvent() && e.Remote.IsValid() { // what was said to hardware is no packet
			c.written[e.seq] = true
			fresh = append(fresh, e.packet())
		}
	}
	for k := range keys {
		if k == "" { // of a call without SIP
			continue
		}
		packets, end := c.sound.since(c.heard[k], k)
		fresh = append(fresh, packets...)
		c.heard[k] = end
	}
	slices.SortStableFunc(fresh, func(a, b Packet) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	var b []byte
	if !c.begun {
		c.begun = true
		b = pcapngHeader(b)
	}
	for _, p := range fresh {
		b = packet(b, p)
	}
	return b
}

// CaptureEvery is how often Next is called so that the sound of a busy box is not lost
// before.
const CaptureEvery = 100 * time.Millisecond
