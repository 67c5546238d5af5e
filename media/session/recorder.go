package session

import (
	"math"
	"sync"

	"callbox/media"
)

// wakeFrames is how many frames wait before the recorder's goroutine is woken:
// half a second, so that an SD card sees few and larger writes.
const wakeFrames = 25

// Recorder records a session. Its methods may be called from any goroutine.
type Recorder struct {
	cfg    RecorderConfig
	s      *Session
	w      Writer
	limit  int64 // samples per channel, 0: none
	remove []func()
	wake   chan struct{} // holds one token
	done   chan struct{} // closed when all is written and the Writer is closed

	mu      sync.Mutex // guards what follows
	in      media.Frame
	silence silenceMeter
	ring    []int16 // slots of one frame on all channels
	lostAt  []int   // frames lost before each slot
	head, n int     // in slots
	lost    int     // frames lost since the newest slot
	paused  pausing
	reason  EndReason
	samples int64 // recorded per channel, lost ones included
	dropped uint64
	err     error
}

// Record starts a recording of s into w and returns at once. The recorder owns
// w from then on, also when the error is not nil: it closes it. On a closed
// session the recording is empty and ends at once.
func Record(s *Session, cfg RecorderConfig, w Writer) (*Recorder, error) {
	if err := cfg.Validate(); err != nil {
		_ = w.Close()
		return nil, err
	}
	if cfg.Channels == 0 {
		cfg.Channels = 1
	}
	if cfg.SilenceLevel == 0 {
		cfg.SilenceLevel = defaultSilence
	}
	if cfg.Buffer == 0 {
		cfg.Buffer = defaultBuffer
	}
	slots := int(cfg.Buffer / media.FrameDuration)
	r := &Recorder{
		cfg: cfg, s: s, w: w, limit: int64(media.SamplesIn(cfg.MaxLength)),
		wake: make(chan struct{}, 1), done: make(chan struct{}),
		silence: newSilenceMeter(cfg),
		ring:    make([]int16, slots*cfg.Channels*media.FrameSamples), lostAt: make([]int, slots),
	}
	if cfg.Track != Outbound {
		r.remove = append(r.remove, s.Tap(In, (*inTap)(r)))
	}
	if cfg.Track != Inbound {
		r.remove = append(r.remove, s.Tap(Out, (*outTap)(r)))
	}
	go r.run()
	return r, nil
}

// Done is closed when the recording has ended, for whatever reason, and the
// file is whole.
func (r *Recorder) Done() <-chan struct{} { return r.done }

// Stop ends the recording if it still runs, waits until all is written, and
// gives the Writer's error. It may be called again.
func (r *Recorder) Stop() error {
	r.mu.Lock()
	r.end(Stopped)
	r.mu.Unlock()
	<-r.done
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// pausing is what a recorder does with what is said.
type pausing uint8

const (
	recording pausing = iota // records it
	skipping                 // leaves it out
	silencing                // records silence
)

// Pause leaves out what is said until Resume, or with silence records silence in
// its place.
func (r *Recorder) Pause(silence bool) {
	if silence {
		r.setPaused(silencing)
	} else {
		r.setPaused(skipping)
	}
}

// Resume ends a pause.
func (r *Recorder) Resume() { r.setPaused(recording) }

func (r *Recorder) setPaused(p pausing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paused = p
	r.silence.run = 0
}

// Stats tells how it goes, or after Done how it went.
func (r *Recorder) Stats() RecorderStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return RecorderStats{Duration: media.DurationOf(int(r.samples)), Dropped: r.dropped, Reason: r.reason}
}

// end notes why it ends, if nothing has before. The caller holds r.mu.
func (r *Recorder) end(why EndReason) {
	if r.reason == Running {
		r.reason = why
	}
	r.signal()
}

func (r *Recorder) signal() {
	select {
	case r.wake <- struct{}{}:
	default: // it is awake already
	}
}

// inTap and outTap are the two ears of a recorder. The frame that comes in is
// kept until the one that goes out completes the tick.
type (
	inTap  Recorder
	outTap Recorder
)

// WriteFrame takes what the far end said.
func (t *inTap) WriteFrame(f *media.Frame) {
	r := (*Recorder)(t)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cfg.Track == Inbound {
		r.push(f, nil)
		return
	}
	r.in = *f
}

// WriteFrame takes what the far end is told.
func (t *outTap) WriteFrame(f *media.Frame) {
	r := (*Recorder)(t)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cfg.Track == Outbound {
		r.push(nil, f)
		return
	}
	r.push(&r.in, f)
}

// push records one tick; a nil frame is silence. The caller holds r.mu.
func (r *Recorder) push(in, out *media.Frame) {
	if r.paused == skipping || r.reason != Running {
		return
	}
	hush := r.paused == silencing
	if hush {
		in, out = nil, nil
	}
	slots := len(r.lostAt)
	if r.n == slots {
		r.lost++
		r.dropped++
	} else {
		i := (r.head + r.n) % slots
		r.lostAt[i], r.lost = r.lost, 0
		size := r.cfg.Channels * media.FrameSamples
		interleave(r.ring[i*size:(i+1)*size], in, out)
		r.n++
	}
	r.samples += media.FrameSamples
	if r.limit > 0 && r.samples >= r.limit {
		r.samples = r.limit
		r.end(LengthEnd)
	}
	listen := in
	if listen == nil {
		listen = out
	}
	if !hush && r.silence.enter(listen) {
		r.end(SilenceEnd)
	}
	if r.n >= min(wakeFrames, slots/2) {
		r.signal()
	}
}

// interleave writes a tick to dst: mixed if dst is one frame long, else in and
// out in turn.
func interleave(dst []int16, in, out *media.Frame) {
	for i := range media.FrameSamples {
		var a, b int16
		if in != nil {
			a = in[i]
		}
		if out != nil {
			b = out[i]
		}
		if len(dst) == media.FrameSamples {
			dst[i] = media.Clamp(int32(a) + int32(b))
		} else {
			dst[2*i], dst[2*i+1] = a, b
		}
	}
}

// run is the recorder's goroutine: it writes what waits until the end.
func (r *Recorder) run() {
	defer close(r.done)
	frame := r.cfg.Channels * media.FrameSamples
	chunk := make([]int16, wakeFrames*frame)
	written, over := int64(0), r.s.Done()
	for {
		n, last := r.take(chunk)
		if n > 0 {
			if r.limit > 0 { // the last frame may be longer than what is left
				n = int(min(int64(n), (r.limit-written)*int64(r.cfg.Channels)))
			}
			written += int64(n / r.cfg.Channels)
			if err := r.w.WriteSamples(chunk[:n]); err != nil {
				r.fail(err)
				break
			}
			continue
		}
		if last {
			break
		}
		select {
		case <-r.wake:
		case <-over:
			over = nil
			r.mu.Lock()
			r.end(CallEnded)
			r.mu.Unlock()
		}
	}
	for _, remove := range r.remove {
		remove()
	}
	if err := r.w.Close(); err != nil {
		r.fail(err)
	}
}

// fail notes the first error.
func (r *Recorder) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end(WriteError)
	if r.err == nil {
		r.err = err
	}
}

// take moves waiting frames to chunk, silence in place of lost ones, and gives
// the number of samples. last says that nothing more will come after them.
func (r *Recorder) take(chunk []int16) (n int, last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	size := r.cfg.Channels * media.FrameSamples
	for n+size <= len(chunk) {
		dst := chunk[n : n+size]
		lost := &r.lost
		if r.n > 0 {
			lost = &r.lostAt[r.head]
		}
		switch {
		case *lost > 0:
			*lost--
			clear(dst)
		case r.n > 0:
			copy(dst, r.ring[r.head*size:])
			r.head = (r.head + 1) % len(r.lostAt)
			r.n--
		default:
			return n, r.reason != Running
		}
		n += size
	}
	return n, false
}

// silenceMeter counts silence. A frame is silent when its power is below a
// level, or not clearly above the line's noise; the noise is the least power of
// late, which it follows down at once and up by about 2 dB a second.
type silenceMeter struct {
	limit           int // frames, 0: none
	run             int // silent frames in a row
	level, floor    float64
	lowest, loudest float64
}

func newSilenceMeter(cfg RecorderConfig) silenceMeter {
	level := power(cfg.SilenceLevel)
	return silenceMeter{
		limit: int((cfg.MaxSilence + media.FrameDuration - 1) / media.FrameDuration),
		level: level, floor: level / 4, lowest: level / 4, loudest: max(power(loudestNoise), level),
	}
}

// power is the mean square of samples at a level in dBov.
func power(dBov float64) float64 { return math.Pow(10, dBov/10) * 32767 * 32767 }

// enter takes a frame and reports whether the silence has lasted long enough.
func (m *silenceMeter) enter(f *media.Frame) bool {
	if m.limit == 0 {
		return false
	}
	var sum int64
	for _, s := range f {
		sum += int64(s) * int64(s)
	}
	p := float64(sum) / media.FrameSamples
	m.floor = max(min(p, m.floor*1.01), m.lowest)
	if p > min(max(m.level, 4*m.floor), m.loudest) {
		m.run = 0
		return false
	}
	m.run++
	return m.run >= m.limit
}
