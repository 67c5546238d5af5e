package rtp

import "encoding/binary"

// Telephone events (RFC 4733 §2.3) are four bytes:
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	|     event     |E|R| volume    |          duration             |
const (
	eventBytes   = 4
	eventEnd     = 0x80
	eventVolume  = 10 // −10 dBm0
	eventKeys    = "0123456789*#ABCD"
	eventLongest = 0xFFFF // samples in one segment
	// eventMemory is how far back a timestamp is taken for a repetition of an
	// older event: the longest event and then some. Farther back the sender has
	// started its clock anew.
	eventMemory = 80000
)

// keyEvent is the event code of a key; ok is false for other characters.
func keyEvent(key byte) (code byte, ok bool) {
	if key >= 'a' && key <= 'd' {
		key -= 'a' - 'A'
	}
	for i := range len(eventKeys) {
		if eventKeys[i] == key {
			return byte(i), true
		}
	}
	return 0, false
}

// eventIn finds key presses in telephone events. A press is its timestamp: all
// packets of one event carry the same one, so that lost starts, lost ends and
// repeated ends make no difference. It is guarded by its stream's lock.
type eventIn struct {
	known    bool
	ts       uint32 // of the present or last event
	code     byte
	ended    bool
	duration uint32 // latest, in samples
}

// packet enters an event packet and gives the key when a press begins, else 0.
func (e *eventIn) packet(ts uint32, payload []byte, marker bool) byte {
	if len(payload) < eventBytes || int(payload[0]) >= len(eventKeys) {
		return 0
	}
	code, end := payload[0], payload[1]&eventEnd != 0
	duration := uint32(binary.BigEndian.Uint16(payload[2:]))
	if e.known {
		delta := int32(ts - e.ts)
		switch {
		case delta == 0:
			e.duration, e.ended = max(e.duration, duration), e.ended || end
			return 0
		case delta < 0 && delta > -eventMemory:
			return 0 // repeated or overtaken
		case e.continues(code, uint32(delta), marker):
			e.ts, e.duration, e.ended = ts, duration, end
			return 0
		}
	}
	*e = eventIn{known: true, ts: ts, code: code, ended: end, duration: duration}
	return eventKeys[code]
}

// continues reports whether an event delta samples after the present one is its
// next segment: a key held for more than 8 s (RFC 4733 §2.5.1.3).
func (e *eventIn) continues(code byte, delta uint32, marker bool) bool {
	return !e.ended && !marker && code == e.code && delta >= eventLongest-400 && delta <= eventLongest+1 && e.duration >= eventLongest-1600
}

// forget is for a new source, whose timestamps have nothing to do with the old.
func (e *eventIn) forget() { *e = eventIn{} }

// eventDuration is the duration of an event packet, 0 if it is too short.
func eventDuration(payload []byte) uint32 {
	if len(payload) < eventBytes {
		return 0
	}
	return uint32(binary.BigEndian.Uint16(payload[2:]))
}

// putEvent writes an event payload.
func putEvent(b []byte, code byte, end bool, duration uint32) {
	b[0], b[1] = code, eventVolume
	if end {
		b[1] |= eventEnd
	}
	binary.BigEndian.PutUint16(b[2:], uint16(min(duration, eventLongest)))
}
