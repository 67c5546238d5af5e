// Package media is the vocabulary of sound inside the box: one frame size, one
// rate, and the small interfaces that ports, players, recorders and the clock
// meet in.
//
// Inside the box every sound is 8,000 Hz, 16-bit linear, mono, cut in frames of
// 160 samples (20 ms). Other rates and codecs exist only at the edges
// (media/rtp, media/wav, call/line/fxs).
//
// It owns: [Frame], [Source], [Sink], [Port], [Clip], [Ticker], [Relayer] and
// the [Ring] through which a device goroutine hands frames to the media clock.
// It may import nothing of ours. It is tested by its own unit tests; 0
// allocations per frame is asserted with testing.AllocsPerRun.
package media

import "time"

const (
	// SampleRate is the rate of every frame in the box, in Hz.
	SampleRate = 8000
	// FrameSamples is the number of samples in a frame (20 ms at SampleRate).
	FrameSamples = 160
	// FrameDuration is the length of one frame and the period of the media clock.
	FrameDuration = 20 * time.Millisecond
)

// Frame is 20 ms of sound: 160 linear samples at 8,000 Hz, full scale
// ±32,767. A frame is passed by pointer and never kept after the call returns.
type Frame [FrameSamples]int16

// Source gives frames. ReadFrame is called on the media tick: it must not
// block, lock for long, log or allocate.
type Source interface {
	// ReadFrame fills f with the next 20 ms and reports true. False means that
	// there is nothing for this tick; f is then unspecified and the caller uses
	// silence. For a [Clip] false is final.
	ReadFrame(f *Frame) bool
}

// Sink takes frames. WriteFrame is called on the media tick, under the same
// rules as [Source].ReadFrame.
type Sink interface {
	WriteFrame(f *Frame)
}

// Port is the sound of one leg as the box sees it: reading gives what the far
// end said, writing is what the far end will hear. A port exists for the whole
// life of its leg; before media flows it reads false and drops what is written.
// One goroutine (the media clock) reads and writes.
type Port interface {
	Source
	Sink
}

// Clip is a finite sound: a file, a spoken text, a tone of limited length.
type Clip interface {
	Source
	// Close frees what the clip holds. It is called once, by whoever played it.
	Close() error
}

// Ticker is work that the media clock does every 20 ms. All Collect calls of a
// tick come before its first Deliver, so that what one leg heard in a tick can
// be what another leg says in the same tick. Both run on the clock's goroutine.
type Ticker interface {
	// Collect pulls this tick's input.
	Collect()
	// Deliver mixes and writes this tick's output.
	Deliver()
}

// Scheduler is the part of the media clock that sessions need. Both methods may
// be called from any goroutine. When Remove returns, t is not being called and
// will not be called again.
type Scheduler interface {
	Add(t Ticker)
	Remove(t Ticker)
}

// Transparent is implemented by a [Port] that improves its sound: it cancels echo,
// makes up what was lost, fits its delay to the network. Modems and fax machines
// need the sound as it is. It is found by type assertion.
type Transparent interface {
	// SetTransparent ends all that, for the rest of the port's life. It may be called
	// from any goroutine, also on the media tick.
	SetTransparent()
}

// Relayer is implemented by a [Port] that can forward what it receives without
// decoding it (media/rtp). It is found by type assertion.
type Relayer interface {
	// RelayTo forwards every payload received from now on straight to peer, on
	// arrival, never re-clocked, and reports true; ReadFrame then reads false.
	// It reports false, and changes nothing, when peer is of another kind or the
	// two have not negotiated the same codec, packet time and event format.
	RelayTo(peer Port) bool
	// StopRelay returns to the decoded path. Without a relay it does nothing.
	StopRelay()
}
