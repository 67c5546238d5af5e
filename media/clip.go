package media

import (
	"context"
	"errors"
	"time"
)

// Rewinder is a [Clip] that can start again from its beginning: sounds in
// memory, tones. Rewind is called by the goroutine that reads.
type Rewinder interface {
	Clip
	Rewind()
}

// Skipper is a [Clip] that can begin later. Skip leaves out so many frames, or
// waits for them until ctx ends; it is called before the clip is played.
type Skipper interface {
	Clip
	Skip(ctx context.Context, frames int)
}

// Samples is a sound in memory as a [Clip]. Many may share one slice.
type Samples struct {
	all []int16
	pos int // owned by the reading goroutine
}

var _ Rewinder = (*Samples)(nil)

// ClipOf makes a clip of samples, which nobody may change from then on. The
// last frame is filled up with silence.
func ClipOf(samples []int16) *Samples { return &Samples{all: samples} }

// ReadFrame fills f with the next 20 ms, and reports false after the last.
func (s *Samples) ReadFrame(f *Frame) bool {
	if s.pos >= len(s.all) {
		return false
	}
	n := copy(f[:], s.all[s.pos:])
	clear(f[n:])
	s.pos += n
	return true
}

// Rewind starts again from the beginning.
func (s *Samples) Rewind() { s.pos = 0 }

// Duration is the length of the whole sound.
func (s *Samples) Duration() time.Duration { return DurationOf(len(s.all)) }

// Close does nothing; the memory is freed with the clip.
func (s *Samples) Close() error { return nil }

// DurationOf is the length of n samples.
func DurationOf(n int) time.Duration {
	return time.Duration(n) * (time.Second / SampleRate)
}

// SamplesIn is the number of whole samples in d.
func SamplesIn(d time.Duration) int {
	return int(d / (time.Second / SampleRate))
}

// concat is one clip after the other.
type concat struct {
	clips []Clip
	at    int // owned by the reading goroutine
}

// Concat plays one clip after the other, each from a frame border. Close closes
// all of them.
func Concat(clips ...Clip) Clip { return &concat{clips: clips} }

func (c *concat) ReadFrame(f *Frame) bool {
	for c.at < len(c.clips) {
		if c.clips[c.at].ReadFrame(f) {
			return true
		}
		c.at++
	}
	return false
}

func (c *concat) Close() error {
	var errs []error
	for _, clip := range c.clips {
		errs = append(errs, clip.Close())
	}
	return errors.Join(errs...)
}

// loop is one clip again and again.
type loop struct {
	clip Rewinder
	left int  // rounds after this one; owned by the reading goroutine
	ever bool // without end
}

// Loop plays clip times times; 0 is without end. A clip without a single frame
// ends at once even so.
func Loop(clip Rewinder, times int) Clip {
	return &loop{clip: clip, left: times - 1, ever: times <= 0}
}

func (l *loop) ReadFrame(f *Frame) bool {
	if l.clip.ReadFrame(f) {
		return true
	}
	if !l.ever && l.left <= 0 {
		return false
	}
	l.left--
	l.clip.Rewind()
	return l.clip.ReadFrame(f)
}

func (l *loop) Close() error { return l.clip.Close() }

// limit is the beginning of a source.
type limit struct {
	src  Source
	left int // frames; owned by the reading goroutine
}

// Limit gives the first d of src as a clip, rounded up to whole frames. It ends
// earlier when src has nothing for a tick. Close closes src if src is a clip.
func Limit(src Source, d time.Duration) Clip {
	return &limit{src: src, left: framesIn(d)}
}

func (l *limit) ReadFrame(f *Frame) bool {
	if l.left <= 0 || !l.src.ReadFrame(f) {
		l.left = 0
		return false
	}
	l.left--
	return true
}

func (l *limit) Close() error {
	if c, ok := l.src.(Clip); ok {
		return c.Close()
	}
	return nil
}

// framesIn is the number of frames that cover d.
func framesIn(d time.Duration) int {
	return int((d + FrameDuration - 1) / FrameDuration)
}

// silence gives silence without end.
type silence struct{}

func (silence) ReadFrame(f *Frame) bool { f.Clear(); return true }

// Pause is silence for d, rounded up to whole frames.
func Pause(d time.Duration) Clip { return Limit(silence{}, d) }

// ErrTooLong means that a sound is longer than its reader allows.
var ErrTooLong = errors.New("sound is longer than allowed")

// ReadAll reads src to its end, as whole frames. When more than limit would be
// needed it gives what it has and ErrTooLong. It allocates and is not for the
// media tick.
func ReadAll(src Source, limit time.Duration) ([]int16, error) {
	var out []int16
	var f Frame
	for left := framesIn(limit); src.ReadFrame(&f); left-- {
		if left <= 0 {
			return out, ErrTooLong
		}
		out = append(out, f[:]...)
	}
	return out, nil
}
