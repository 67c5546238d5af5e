package gsm

import (
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"callbox/hal"
)

const (
	frameSamples = 160 // of 20 ms
	frameBytes   = 2 * frameSamples
	frameTime    = 20 * time.Millisecond
	// readTime is how long Read waits for a frame before it gives silence: longer
	// than the 100 ms that some modems gather.
	readTime = 150 * time.Millisecond
	// maxHeld bounds what is read ahead: 5 frames. Modems send up to 100 ms at once.
	maxHeld = 5 * frameBytes
	// steer is by how much the writer's clock follows that of the modem, at most.
	steer = 500e-6
)

var _ hal.PCM = (*Sound)(nil)

// Sound is the sound of a port: 8,000 Hz, 16-bit, little endian, as the modem sends
// it and takes it on a serial device, without any frame. Outside calls it gives
// silence and takes everything.
//
// The writer is paced by a clock of its own, one frame each 20 ms, that follows the
// rate at which the modem sends, so that nothing gathers between the two; what the
// modem does not take within two frames is dropped. The reader finds out by the
// energy of both alignments whether the stream began with half a sample, and drops
// a byte if so.
type Sound struct {
	done chan struct{}
	once sync.Once

	reading sync.Mutex // held by Read; guards what follows
	buf     [2 * maxHeld]byte
	n       int // bytes of buf
	epoch   uint64
	silent  *time.Timer
	readAt  time.Time // of the last silence given

	writing sync.Mutex // held by Write; guards what follows
	out     [2 * frameBytes]byte
	left    int // bytes of out that the modem did not take yet
	old     int // frames for which they have been there
	begun   uint64
	next    time.Time
	timer   *time.Timer

	mu     sync.Mutex // guards what follows
	stream hal.Stream
	card   hal.PCM // instead of stream
	live   bool
	paused bool
	count  uint64 // calls so far: each begins anew
	st     hal.PCMStats
	c      soundCounters
	inCall int64 // samples read of this call
	toCall int64 // samples written of this call, since some were read
	peak   int   // loudest sample of this call
	call   callSound
}

// callSound is what is known of the sound of the present or the last call.
type callSound struct {
	begin, end time.Time // end is zero while it lasts
	bytes      int64     // given to the modem
	peakOut    int
}

// soundCounters are what ModemCounters tells of sound.
type soundCounters struct {
	bytesIn, bytesOut, misaligned, silence, dropped, pauses uint64
}

func newSound() *Sound {
	s := &Sound{done: make(chan struct{}), silent: time.NewTimer(time.Hour), timer: time.NewTimer(time.Hour)}
	s.silent.Stop()
	s.timer.Stop()
	return s
}

// attach gives it a modem's line, nil takes it away; the line before is returned.
func (s *Sound) attach(stream hal.Stream) hal.Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.stream
	s.stream, s.live = stream, false
	return old
}

// attachCard gives it a modem's sound card, which it closes when it gets another,
// or nil.
func (s *Sound) attachCard(card hal.PCM) {
	s.mu.Lock()
	old := s.card
	s.card, s.live = card, false
	s.mu.Unlock()
	if old != nil {
		_ = old.Close()
	}
}

// begin lets sound flow for a call.
func (s *Sound) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live || s.stream == nil && s.card == nil {
		return
	}
	if s.stream != nil {
		_ = s.stream.Discard() // a line that has gone tells so when it is read
	}
	s.live, s.paused = true, false
	s.count++
	s.inCall, s.toCall, s.peak = 0, 0, 0
	s.call = callSound{begin: time.Now()}
}

// end stops it, and tells how many samples came and how loud the loudest was.
func (s *Sound) end() (samples int64, peak int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live {
		s.call.end = time.Now()
	}
	s.live = false
	return s.inCall, s.peak
}

// pause is what the modem asks for when it has too much.
func (s *Sound) pause(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on && !s.paused {
		s.c.pauses++
	}
	s.paused = on
}

// now is the line of the present call, nil when there is none.
func (s *Sound) now() (stream hal.Stream, call uint64, paused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.live {
		return nil, s.count, false
	}
	return s.stream, s.count, s.paused
}

// Read implements [hal.PCM].
func (s *Sound) Read(p []int16) (int, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	if card := s.cardNow(); card != nil {
		return s.readCard(card, p)
	}
	need := 2 * len(p)
	until := time.Now().Add(readTime)
	for {
		stream, call, _ := s.now()
		if stream == nil {
			return s.rest(p)
		}
		if call != s.epoch {
			s.epoch, s.n = call, 0
		}
		if s.n >= need {
			s.give(p)
			return len(p), nil
		}
		n, err := stream.ReadUntil(s.buf[s.n:], until)
		switch {
		case errors.Is(err, hal.ErrClosed) && s.over():
			return 0, hal.ErrClosed
		case err != nil:
			s.quiet()
			return s.rest(p)
		case n == 0:
			s.quiet()
			clear(p)
			return s.made(p)
		}
		s.n += n
		s.mu.Lock()
		s.c.bytesIn += uint64(n)
		s.mu.Unlock()
	}
}

// cardNow is the card of the present call, nil when there is none.
func (s *Sound) cardNow() hal.PCM {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.live {
		return nil
	}
	return s.card
}

// readCard reads from a card, which has a clock of its own.
func (s *Sound) readCard(card hal.PCM, p []int16) (int, error) {
	n, err := card.Read(p)
	if err != nil {
		s.quiet()
		return s.rest(p)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Read += uint64(n)
	s.c.bytesIn += uint64(2 * n)
	s.inCall += int64(n)
	for _, v := range p[:n] {
		s.peak = max(s.peak, int(v), -int(v))
	}
	return n, nil
}

// writeCard writes to a card.
func (s *Sound) writeCard(card hal.PCM, p []int16) (int, error) {
	n, err := card.Write(p)
	if err != nil {
		if !s.pace(len(p)) {
			return 0, hal.ErrClosed
		}
		s.drop(1)
		return len(p), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Written += uint64(n)
	s.c.bytesOut += uint64(2 * n)
	s.call.bytes += int64(2 * n)
	for _, v := range p[:n] {
		s.call.peakOut = max(s.call.peakOut, int(v), -int(v))
	}
	return n, nil
}

// give takes the oldest sound out of the buffer. What is more than five frames is
// old, and dropped.
func (s *Sound) give(p []int16) {
	if s.crooked(2 * len(p)) {
		s.n = copy(s.buf[:], s.buf[1:s.n])
		s.mu.Lock()
		s.c.misaligned++
		s.mu.Unlock()
	}
	lost := 0
	if s.n > maxHeld {
		lost = (s.n - maxHeld) &^ 1
		s.n = copy(s.buf[:], s.buf[lost:s.n])
	}
	peak := 0
	for i := range p {
		p[i] = int16(binary.LittleEndian.Uint16(s.buf[2*i:]))
		peak = max(peak, int(p[i]), -int(p[i]))
	}
	s.n = copy(s.buf[:], s.buf[2*len(p):s.n])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Read += uint64(len(p))
	s.inCall += int64(len(p)) + int64(lost/2)
	s.peak = max(s.peak, peak)
	if lost > 0 {
		s.st.Overruns++
		s.st.Lost += uint64(lost / 2)
	}
}

// crooked reports whether the first bytes of the buffer are sound only when they
// are read from the second on: sound is smooth, and its low bytes are noise.
func (s *Sound) crooked(bytes int) bool {
	if bytes < 4 || s.n < bytes+1 { // a sample has no steps
		return false
	}
	straight, shifted := roughness(s.buf[:bytes]), roughness(s.buf[1:bytes-1])
	return straight > 8*shifted && straight > roughest*float64(bytes/2)
}

// roughest is the mean square of the step from one sample to the next that a
// misaligned stream has at least, if it is not silent.
const roughest = 1e6

// roughness is the sum of the squares of the steps between samples.
func roughness(b []byte) float64 {
	sum, last := 0.0, int16(binary.LittleEndian.Uint16(b))
	for i := 2; i+1 < len(b); i += 2 {
		v := int16(binary.LittleEndian.Uint16(b[i:]))
		d := float64(v) - float64(last)
		sum += d * d
		last = v
	}
	return sum
}

// rest gives silence, as long as it takes.
func (s *Sound) rest(p []int16) (int, error) {
	clear(p)
	length := time.Duration(len(p)) * time.Second / hal.SampleRate
	now := time.Now()
	if s.readAt = s.readAt.Add(length); s.readAt.Before(now) || s.readAt.Sub(now) > length {
		s.readAt = now.Add(length)
	}
	s.silent.Reset(s.readAt.Sub(now))
	select {
	case <-s.silent.C:
	case <-s.done:
		return 0, hal.ErrClosed
	}
	return s.made(p)
}

func (s *Sound) made(p []int16) (int, error) {
	if s.over() {
		return 0, hal.ErrClosed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Read += uint64(len(p))
	return len(p), nil
}

// quiet counts a frame that the modem did not send.
func (s *Sound) quiet() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.c.silence++
}

func (s *Sound) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// Write implements [hal.PCM].
func (s *Sound) Write(p []int16) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if card := s.cardNow(); card != nil {
		return s.writeCard(card, p)
	}
	if !s.pace(len(p)) {
		return 0, hal.ErrClosed
	}
	stream, call, paused := s.now()
	s.mu.Lock()
	s.st.Written += uint64(len(p))
	s.mu.Unlock()
	if stream == nil || paused {
		s.left = 0
		return len(p), nil
	}
	if call != s.begun {
		s.begun, s.left, s.old = call, 0, 0
	}
	for len(p) > 0 {
		n := min(len(p), frameSamples)
		s.frame(stream, p[:n])
		p = p[n:]
	}
	return len(p), nil
}

// frame sends what is left of the frame before, then one more; what cannot be sent
// is kept for one more frame.
func (s *Sound) frame(stream hal.Stream, p []int16) {
	n := 0
	if s.left > 0 {
		n = s.send(stream)
		if s.old++; s.left > 0 && s.old >= 2 {
			// Of a sample that was begun the second byte must follow.
			s.left &= 1
			s.drop(1)
		}
	}
	if s.left > frameBytes {
		s.drop(1)
		return
	}
	for i, v := range p {
		binary.LittleEndian.PutUint16(s.out[s.left+2*i:], uint16(v))
	}
	s.left += 2 * len(p)
	n += s.send(stream)
	if s.left == 0 {
		s.old = 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.c.bytesOut += uint64(n)
	s.call.bytes += int64(n)
	for _, v := range p {
		s.call.peakOut = max(s.call.peakOut, int(v), -int(v))
	}
	if s.inCall > 0 { // both are counted from when the modem's clock is seen
		s.toCall += int64(len(p))
	}
}

func (s *Sound) drop(frames uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.c.dropped += frames
	s.st.Underruns++
}

// send gives away what the line takes now.
func (s *Sound) send(stream hal.Stream) int {
	n, err := stream.TryWrite(s.out[:s.left])
	if err != nil { // the session finds out by the commands' line
		s.left = 0
		return 0
	}
	s.left = copy(s.out[:], s.out[n:s.left])
	return n
}

// pace waits until it is time for so many samples; false when the sound was closed.
func (s *Sound) pace(samples int) bool {
	now := time.Now()
	length := float64(samples) * float64(time.Second) / hal.SampleRate
	s.next = s.next.Add(time.Duration(length * (1 + s.drift())))
	if d := now.Sub(s.next); d > 5*frameTime || d < -5*frameTime {
		s.next = now // it has rested
	}
	if wait := s.next.Sub(now); wait > 0 {
		s.timer.Reset(wait)
		select {
		case <-s.timer.C:
		case <-s.done:
			return false
		}
	}
	return !s.over()
}

// drift is by how much to be slower than our own clock, so that over the call as
// much is written as is read.
func (s *Sound) drift() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.live || s.inCall == 0 {
		return 0
	}
	ahead := float64(s.toCall - s.inCall) // samples
	return max(-steer, min(steer, ahead*1e-6))
}

// Stats implements [hal.PCM].
func (s *Sound) Stats() hal.PCMStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st
}

func (s *Sound) counters() soundCounters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.c
}

// Close implements [hal.PCM].
func (s *Sound) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}
