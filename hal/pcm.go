package hal

import (
	"errors"
	"io"
)

// SampleRate is the rate of every [PCM] in Hz. Other rates are converted in the
// bus.
const SampleRate = 8000

// ErrClosed is the error of everything that was closed.
var ErrClosed = errors.New("device is closed")

// ErrGone is wrapped by errors that say that the device was unplugged.
var ErrGone = errors.New("device is gone")

// PCM is one mono sound channel in both directions: 8,000 Hz, 16-bit linear.
// One goroutine may read while another writes. The device's clock sets the pace:
// 160 samples each way are 20 ms.
type PCM interface {
	// Read blocks until p is full of what the port hears, in order, and returns
	// len(p). Sound that nobody read for longer than the device's buffer (at least
	// 40 ms, at most 250 ms) is dropped and counted. The error is or wraps
	// ErrClosed or ErrGone, or says what broke; xruns are recovered inside.
	Read(p []int16) (int, error)
	// Write queues p for playing and returns len(p). It blocks while the device's
	// buffer is full. A buffer that runs empty plays silence and is counted.
	Write(p []int16) (int, error)
	// Stats are the counters since the device was opened.
	Stats() PCMStats
	// Close ends a blocked Read and Write with ErrClosed.
	Close() error
}

// Aligned is a [PCM] that knows how its two directions lie to each other. It is
// found by type assertion; echo can be cancelled only where it is there.
type Aligned interface {
	// Offset says that sample number n of those given by Read, counted as in
	// PCMStats.Read, passed the port at the same time as sample number n − samples of
	// those given to Write. It is right to a millisecond or so and stays the same
	// until one of the directions loses sound, or rests. ok is false while either
	// does not run.
	Offset() (samples int64, ok bool)
}

// PCMStats counts what happened to the sound of one channel.
type PCMStats struct {
	Read, Written uint64 // samples
	Overruns      uint64 // times that captured sound was dropped
	Underruns     uint64 // times that silence was played because nothing was queued
	Lost          uint64 // samples dropped by overruns
	Recovered     uint64 // device errors that were repaired (xrun, suspend)
}

// Serial is a byte line to a modem. One goroutine may read while another
// writes; Close ends both.
type Serial interface {
	io.ReadWriteCloser
	// Discard drops input that has arrived and was not read.
	Discard() error
}
