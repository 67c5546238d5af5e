package rtp

import "callbox/media"

// fixedDelay is the headroom for modems: 60 ms, in samples.
const fixedDelay = 480

// fix makes the delay fixedDelay or, where it is longer already, what it is, and
// keeps it for the rest of the buffer's life. From now on sound that does not come
// in time is silence of the same length: a modem stands a gap, but not a slip, nor
// what was made up.
func (j *jitterBuffer) fix() {
	if j.fixed {
		return
	}
	j.fixed = true
	if head := int64(min(j.head[0], j.head[1])); j.started {
		j.hold = min(max(fixedDelay-max(head, 0), 0), fixedDelay)
	}
}

// readFixed is read for modems.
func (j *jitterBuffer) readFixed(f *media.Frame) bool {
	clear(f[:])
	pos := int64(0)
	if j.hold > 0 {
		pos = min(j.hold, media.FrameSamples)
		j.hold -= pos
	}
	for pos < media.FrameSamples {
		left := media.FrameSamples - pos
		if n := j.run(j.next, min(left, max(j.level(), 0)), true); n > 0 {
			j.take(f[pos:pos+n], j.next)
			j.advance(n)
			pos += n
			continue
		}
		n := left
		if j.level() > 0 {
			n = j.run(j.next, min(left, j.level()), false)
		}
		j.advance(n)
		pos += n
	}
	return true
}
