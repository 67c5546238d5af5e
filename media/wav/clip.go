package wav

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"callbox/media"
)

// How far a Clip decodes ahead.
const (
	aheadFrames = 100 // 2 s
	firstFrames = 10  // before the clip is handed out
)

// Clip plays a sound file. A goroutine of its own decodes ahead until Close.
type Clip struct {
	src    io.Closer
	frames chan media.Frame // closed by the goroutine at the end
	stop   chan struct{}
	done   chan struct{} // closed when the goroutine has ended
	once   sync.Once
	err    atomic.Pointer[error]

	underruns atomic.Uint64
}

var (
	_ media.Clip    = (*Clip)(nil)
	_ media.Skipper = (*Clip)(nil)
)

// Open plays the WAV file at path.
func Open(path string) (*Clip, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return NewClip(f)
}

// NewClip plays a WAV file from src, which it owns from then on, also when it
// fails. It reads the header and the first 200 ms before it returns. The error
// is or wraps ErrNotWAV, ErrUnsupported or an error of src.
func NewClip(src io.ReadCloser) (*Clip, error) {
	r, err := NewReader(src)
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	return play(src, r), nil
}

// NewULawClip is NewClip for bare µ-law at 8 kHz.
func NewULawClip(src io.ReadCloser) *Clip { return play(src, NewULawReader(src)) }

// play starts a clip.
func play(src io.Closer, r *Reader) *Clip {
	c := &Clip{
		src:    src,
		frames: make(chan media.Frame, aheadFrames),
		stop:   make(chan struct{}),
		done:   make(chan struct{}),
	}
	more := true
	for i := 0; i < firstFrames && more; i++ {
		more = c.decode(r)
	}
	go func() {
		defer close(c.done)
		for more && c.decode(r) {
		}
		close(c.frames)
		r.finish()
	}()
	return c
}

// decode puts the next frame into the channel, and reports false when there is
// none or the clip was closed.
func (c *Clip) decode(r *Reader) bool {
	var f media.Frame
	var n int
	for n < len(f) {
		k, err := r.Read(f[n:])
		if err != nil {
			if !errors.Is(err, io.EOF) {
				failed := err // only an error that is kept costs memory
				c.err.Store(&failed)
			}
			break
		}
		n += k
	}
	if n == 0 {
		return false
	}
	select {
	case c.frames <- f:
		return n == len(f)
	case <-c.stop:
		return false
	}
}

// ReadFrame fills f with the next 20 ms; the last frame is filled up with
// silence. When the file is slower than the sound it gives silence, reports
// true and counts an underrun: false is only for the end.
func (c *Clip) ReadFrame(f *media.Frame) bool {
	select {
	case next, ok := <-c.frames:
		*f = next
		return ok
	default:
		f.Clear()
		c.underruns.Add(1)
		return true
	}
}

// Skip leaves out the next frames, of 20 ms each, or until ctx ends. It waits for
// a file that is slower than the sound; it must not be used while the clip plays.
func (c *Clip) Skip(ctx context.Context, frames int) {
	for range frames {
		select {
		case _, ok := <-c.frames:
			if !ok {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// Underruns is the number of frames that came too late and were heard as silence.
func (c *Clip) Underruns() uint64 { return c.underruns.Load() }

// Err is why the clip ended before the end of its sound, nil when it did not.
func (c *Clip) Err() error {
	if err := c.err.Load(); err != nil {
		return *err
	}
	return nil
}

// Close stops the decoding, closes the file and waits for the goroutine.
// Further calls do nothing.
func (c *Clip) Close() error {
	var err error
	c.once.Do(func() {
		close(c.stop)
		err = c.src.Close() // ends a Read that hangs in a network body
		<-c.done
	})
	return err
}
