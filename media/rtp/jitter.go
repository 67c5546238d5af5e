package rtp

import (
	"math"
	"math/bits"

	"callbox/media"
	"callbox/media/codec"
)

// All lengths are in samples of 125 µs.
const (
	ringSamples   = bufferCap + maxPayload               // the most that is ever held, whole words of bits
	bufferCap     = 1600                                 // 200 ms: older sound is thrown away
	initialDelay  = 320                                  // 40 ms, before anything was measured
	minDelay      = media.FrameSamples                   // one frame for the tick's phase
	shrinkMargin  = 40                                   // headroom that stays, 5 ms
	shrinkSlack   = 80                                   // headroom beyond it before anything is done, 10 ms
	shrinkWindow  = 75                                   // ticks: two of these are looked back at, 3 s at most
	shrinkSearch  = 160                                  // longest piece taken out at once
	transitWindow = 2 * media.SampleRate                 // half of what the jitter is measured over
	maxJump       = media.SampleRate                     // timestamps off by more start a new mapping
	maxPayload    = 6 * media.FrameSamples               // 120 ms
	quietPeak     = 160                                  // sound below it is silence to the ear
	settleTicks   = 10                                   // after a stall of ours, for what the socket still holds
	never         = math.MinInt32                        // "no headroom known"
	farFuture     = int64(math.MaxInt64)                 // "no transit known"
	farPast       = int64(math.MinInt64)                 // likewise
	timelineStart = int64(1) << 40                       // room for reordering before the first packet
	shrinkScratch = 2 * media.FrameSamples               // a frame and the longest piece
	_             = uint(shrinkScratch - 2*shrinkSearch) // must not be negative
	_             = -uint(ringSamples % 64)              // must be 0
)

// jitterBuffer turns packets into a steady stream of frames. Packets are put on
// a time line of samples; the clock reads it frame by frame.
//
//	     next                       end
//	------|#########____############|-------> time line
//	      |<------- level --------->|
//
// Growing: when the line runs dry the loss is concealed and next stands still,
// so that late sound is still heard and the delay grows by itself. If the hole
// turns out to be a lost packet, next jumps over what was concealed for it.
// Shrinking: the headroom of a packet is how far ahead of next it arrives. The
// smallest headroom of the last 1.5 to 3 s is sound that nobody needed to wait
// for; pitch periods are taken out until a margin is left. The sum is that the
// delay follows the measured jitter, and that loss does not count as jitter.
//
// A stall of the box itself is not jitter either. When the clock has skipped
// ticks, their sound is skipped here too, and for a moment next goes on even when
// the line is dry, so that nothing of the stall stays as delay. Packets that
// waited in the socket for the same reason are not measured. A stall that the
// clock makes up loses nothing.
//
// It is guarded by its stream's lock; it does not allocate.
type jitterBuffer struct {
	decoder *codec.Decoder // of the codec that was negotiated
	data    [ringSamples]int16
	have    [ringSamples / 64]uint64 // one bit per sample in [next, end)

	started   bool
	next, end int64 // on the time line
	held      int64 // concealed while next stood still

	lastTS uint32 // of the newest packet, and
	lastAt int64  // its place on the time line

	head [2]int32 // smallest headroom of the present and the last window
	tick int      // ticks in the present window
	rest int      // ticks until the next piece may be taken out

	low, high   [2]int64 // transit times of the present and the last window
	windowStart int64

	stalled bool  // the clock stands still; set by the stream before each put
	ahead   int64 // samples that were thrown away while it stood, beyond the cap
	settle  int   // ticks for which packets may still come late because it stood

	fixed bool  // for modems: see fix
	hold  int64 // samples of silence until the fixed delay is reached

	plc   plc
	noise comfort      // while the far end is silent and says so
	room  *lender[pcm] // for the packet that is being put

	late      uint64 // packets
	concealed uint64 // samples
	dropped   uint64 // frames
	maxLevel  int64
}

// pcm is room for what a packet holds, decoded.
type pcm [maxPayload]int16

// newJitterBuffer makes a buffer; room may be shared by many.
func newJitterBuffer(c codec.Codec, room *lender[pcm]) *jitterBuffer {
	j := &jitterBuffer{decoder: c.NewDecoder(), room: room}
	j.plc.reset()
	j.forgetHeadroom()
	return j
}

func (j *jitterBuffer) forgetHeadroom() {
	j.head, j.tick, j.rest = [2]int32{math.MaxInt32, never}, 0, 0
}

// level is the length of the buffer.
func (j *jitterBuffer) level() int64 { return j.end - j.next }

// target is the delay that the measured jitter asks for.
func (j *jitterBuffer) target() int64 {
	low, high := min(j.low[0], j.low[1]), max(j.high[0], j.high[1])
	if low > high {
		return initialDelay
	}
	return min(max(high-low+shrinkMargin, minDelay), bufferCap)
}

// put enters a packet's payload, encoded by c, which arrived at the sample time
// arrival. fromNew says that the source is a new
// one, marker that a talk spurt begins.
func (j *jitterBuffer) put(ts uint32, c codec.Codec, payload []byte, arrival int64, fromNew, marker bool) {
	room := j.room.take()
	defer j.room.give(room)
	pcm := j.open(c, payload, room)
	n := int64(len(pcm))
	if n == 0 {
		j.dropped++
		return
	}
	at := j.place(ts, arrival, fromNew, marker)
	if !j.started || ((j.plc.silent() || j.noise.on) && j.level() <= 0 && !j.fixed) {
		j.resume(at, arrival)
	}
	if j.measuring() {
		j.head[0] = int32(min(int64(j.head[0]), max(at-j.next, math.MinInt32)))
	}
	if at+n <= j.next {
		j.late++
		return
	}
	if early := j.next - at; early > 0 {
		pcm, at, n = pcm[early:], j.next, n-early
	}
	if over := at + n - max(n, media.FrameSamples) - bufferCap - j.next; over > 0 {
		j.dropped += uint64((min(over, j.level()) + media.FrameSamples - 1) / media.FrameSamples)
		j.advance(over)
		if j.stalled {
			j.ahead += over
		}
	}
	i := at % ringSamples
	copy(j.data[:], pcm[copy(j.data[i:], pcm):])
	j.mark(at, n)
	j.end = max(j.end, at+n)
	j.maxLevel = max(j.maxLevel, j.level())
}

// silence enters a packet of comfort noise: from its place on, what does not come
// is no loss.
func (j *jitterBuffer) silence(ts uint32, payload []byte, fromNew bool) {
	from := j.end
	if j.started && !fromNew {
		from = max(j.lastAt+int64(int32(ts-j.lastTS)), j.next)
		if from < j.end { // sound that was sent after it has come already
			return
		}
		from = j.end
	}
	if !j.noise.set(payload, from) {
		j.dropped++
	}
}

// open decodes a packet into room. What came in time is decoded at once, whether it will be
// heard or not: a codec that remembers must not miss it. A far end may change
// between the laws of G.711 as it likes.
func (j *jitterBuffer) open(c codec.Codec, payload []byte, room *pcm) []int16 {
	if len(payload) > maxPayload {
		return nil
	}
	if c == j.decoder.Codec() {
		return room[:j.decoder.Decode(room[:], payload)]
	}
	return room[:c.Decode(room[:], payload)]
}

// place finds where on the time line a timestamp belongs.
func (j *jitterBuffer) place(ts uint32, arrival int64, fromNew, marker bool) int64 {
	if !j.started {
		j.lastTS, j.lastAt = ts, timelineStart
		// A first packet says nothing about jitter: the initial delay is a guess.
		j.measureFrom(arrival-timelineStart, initialDelay-shrinkMargin)
		j.windowStart = arrival
		return timelineStart
	}
	at := j.lastAt + int64(int32(ts-j.lastTS))
	low := min(j.low[0], j.low[1])
	off := arrival - at - low
	// A new source, a jump, or a sender that stops its timestamps during silence:
	// the packet is where one that was not delayed would be.
	if fromNew || j.measuring() && (off > maxJump || off < -maxJump || marker && off > bufferCap) {
		at = max(arrival-low, j.end)
		j.lastTS, j.lastAt = ts, at
		j.measureFrom(arrival-at, max(j.high[0], j.high[1])-low)
		return at
	}
	if at > j.lastAt {
		j.lastTS, j.lastAt = ts, at
	}
	if !j.measuring() {
		return at
	}
	if arrival-j.windowStart > transitWindow {
		j.low[1], j.high[1], j.windowStart = j.low[0], j.high[0], arrival
		j.low[0], j.high[0] = farFuture, farPast
	}
	j.low[0], j.high[0] = min(j.low[0], arrival-at), max(j.high[0], arrival-at)
	return at
}

// measuring reports whether times of arrival tell something about the network.
func (j *jitterBuffer) measuring() bool { return !j.stalled && j.settle == 0 }

// skip says that the clock has skipped n samples: their sound is over and must
// not become delay.
func (j *jitterBuffer) skip(n int64) {
	n -= j.ahead
	j.settle, j.ahead = settleTicks, 0
	if !j.started || n <= 0 {
		return
	}
	j.dropped += uint64((min(n, max(j.level(), 0)) + media.FrameSamples - 1) / media.FrameSamples)
	j.advance(n)
}

// measureFrom begins the measurement of transit times anew, with a spread that
// holds until the first window is full.
func (j *jitterBuffer) measureFrom(transit, spread int64) {
	j.low, j.high = [2]int64{transit, transit}, [2]int64{transit, transit + spread}
}

// resume sets next for sound after silence so that the target delay lies
// before it. A gap before it is silence, not loss.
func (j *jitterBuffer) resume(at, arrival int64) {
	undelayed := arrival - min(j.low[0], j.low[1])
	next := min(at, undelayed-j.target())
	if j.started {
		next = max(next, j.next) // what was played is not played again
	}
	clear(j.have[:])
	j.started, j.next, j.end, j.held = true, next, next, 0
	j.forgetHeadroom()
}

// read gives the next frame and reports whether anything can be heard in it.
func (j *jitterBuffer) read(f *media.Frame) bool {
	if !j.started {
		return j.soothe(f[:])
	}
	if j.fixed {
		return j.readFixed(f)
	}
	level := j.level()
	j.turn()
	if level <= 0 {
		if j.noise.on {
			j.advance(media.FrameSamples)
			return j.soothe(f[:])
		}
		j.wait(media.FrameSamples)
		return j.conceal(f[:])
	}
	if j.held > 0 {
		// Sound that was only late starts at next; a hole there means that it was
		// lost and that the concealment stood for it.
		if skip := min(j.held, j.run(j.next, level, false)); skip > 0 {
			j.advance(skip)
		}
		j.held = 0
	}
	if j.shrink(f) {
		return true
	}
	return j.assemble(f)
}

// assemble fills f from what is there, piece by piece.
func (j *jitterBuffer) assemble(f *media.Frame) bool {
	audible := false
	for pos := int64(0); pos < media.FrameSamples; {
		left := media.FrameSamples - pos
		level := j.level()
		if level <= 0 && j.noise.on {
			j.advance(left)
			audible = j.soothe(f[pos:]) || audible
			break
		}
		if level <= 0 { // the frame's end has not come yet: let it be late
			j.wait(left)
			audible = j.conceal(f[pos:]) || audible
			break
		}
		if n := j.run(j.next, min(left, level), true); n > 0 {
			j.take(f[pos:pos+n], j.next)
			j.plc.good(f[pos : pos+n])
			if j.noise.covers(j.next) {
				j.noise.over()
			}
			j.advance(n)
			pos += n
			audible = true
			continue
		}
		n := j.run(j.next, min(left, level), false)
		if j.noise.covers(j.next) {
			audible = j.soothe(f[pos:pos+n]) || audible
		} else {
			audible = j.conceal(f[pos:pos+n]) || audible
		}
		j.advance(n)
		pos += n
	}
	return audible
}

// wait lets n samples pass for which there is no sound yet: next stands still,
// unless it is our own fault.
func (j *jitterBuffer) wait(n int64) {
	if j.settle > 0 {
		j.advance(n)
		return
	}
	j.held += n
}

// soothe makes comfort noise, if there is any.
func (j *jitterBuffer) soothe(s []int16) bool {
	if !j.noise.on {
		return false
	}
	j.noise.fill(s)
	j.plc.good(s)
	return true
}

func (j *jitterBuffer) conceal(s []int16) bool {
	if !j.plc.conceal(s) {
		return false
	}
	j.concealed += uint64(len(s))
	return true
}

// turn moves the window of the headroom on by one tick.
func (j *jitterBuffer) turn() {
	if j.tick++; j.tick >= shrinkWindow {
		j.head[1], j.head[0], j.tick = j.head[0], math.MaxInt32, 0
	}
	if j.rest > 0 {
		j.rest--
	}
	if j.settle > 0 {
		j.settle--
	}
}

// shrink takes a piece out when the sound waits longer than it must. It
// reports false, and does nothing, when that is not so.
//
//	     |<---- frame ---->|<- piece ->|
//	in   |#################|###########|
//	out  a cross-fade from the start of in to in delayed by the piece
func (j *jitterBuffer) shrink(f *media.Frame) bool {
	excess := int64(min(j.head[0], j.head[1])) - shrinkMargin
	if excess < shrinkSlack || j.rest > 0 || j.level() < shrinkScratch || j.run(j.next, shrinkScratch, true) < shrinkScratch {
		return false
	}
	var scratch [shrinkScratch]int16
	in := scratch[:]
	j.take(in, j.next)
	piece := min(excess, shrinkSearch)
	if !quiet(in) {
		piece = int64(pitch(in[:media.FrameSamples+piece], plcMinPitch, int(piece)))
	}
	for i := range f {
		a, b := int32(in[i]), int32(in[int64(i)+piece])
		f[i] = int16((a*int32(media.FrameSamples-i) + b*int32(i)) / media.FrameSamples)
	}
	j.plc.good(f[:])
	j.advance(media.FrameSamples + piece)
	j.head[0] -= int32(piece)
	j.head[1] -= int32(piece)
	switch { // the more there is, the faster it goes
	case excess > 4*media.FrameSamples:
		j.rest = 1
	case excess > 2*media.FrameSamples:
		j.rest = 2
	default:
		j.rest = 4
	}
	return true
}

func quiet(s []int16) bool {
	for _, v := range s {
		if v > quietPeak || v < -quietPeak {
			return false
		}
	}
	return true
}

// take fills dst from the ring.
func (j *jitterBuffer) take(dst []int16, at int64) {
	i := at % ringSamples
	n := copy(dst, j.data[i:])
	copy(dst[n:], j.data[:])
}

// advance moves next over n samples and forgets them.
func (j *jitterBuffer) advance(n int64) {
	if n >= j.level() {
		clear(j.have[:])
		j.next += n
		j.end = max(j.end, j.next)
		return
	}
	for to := j.next + n; j.next < to; {
		i := j.next % ringSamples
		k := min(64-i%64, to-j.next)
		j.have[i/64] &^= ones(k) << uint(i%64)
		j.next += k
	}
}

// mark notes that n samples from at are there.
func (j *jitterBuffer) mark(at, n int64) {
	for to := at + n; at < to; {
		i := at % ringSamples
		k := min(64-i%64, to-at)
		j.have[i/64] |= ones(k) << uint(i%64)
		at += k
	}
}

// run is the number of samples from at, at most limit, that are all there, or
// all missing.
func (j *jitterBuffer) run(at, limit int64, there bool) int64 {
	n := int64(0)
	for n < limit {
		i := (at + n) % ringSamples
		word := j.have[i/64]
		if there {
			word = ^word
		}
		word >>= uint(i % 64)
		k := min(int64(bits.TrailingZeros64(word)), 64-i%64)
		n += k
		if k < 64-i%64 {
			break
		}
	}
	return min(n, limit)
}

// ones is a word with the k lowest bits set, k 0…64.
func ones(k int64) uint64 { return ^uint64(0) >> uint(64-k) }
