package sipleg

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"callbox/call"
	"callbox/media"
	"callbox/media/dtmf"
	"callbox/media/rtp"
	"callbox/media/webrtc"
	"callbox/sip/sdp"
)

var (
	_ media.Port    = (*audio)(nil)
	_ media.Relayer = (*audio)(nil)

	_ media.Transparent = (*audio)(nil)
)

// audio is the sound of a leg: the RTP stream and, where the far end has no
// telephone events, digits as tones in both directions.
type audio struct {
	stream *rtp.Stream
	digit  func(byte) // takes a digit heard; never blocks

	once      dtmf.Once           // each press counts once, in however many ways it is told
	signalled atomic.Bool         // a telephone event has arrived in this call
	listening atomic.Pointer[ear] // looks for tones; nil: they come as events

	tone   atomic.Pointer[toneOut] // the digit being sent as a tone
	toning chan struct{}           // holds one token while a tone is sent
}

// ear hears digits as tones, on the media clock's goroutine.
type ear struct {
	*dtmf.Detector
	silence media.Frame // never written to
}

// toneOut is a digit on its way out, in frames of the media clock.
type toneOut struct {
	clip  *dtmf.Clip
	frame media.Frame
	done  chan struct{} // closed by the clock after the last frame
}

// openAudio opens the RTP port, so that it can be offered.
func openAudio(cfg Config, digit func(byte)) (*audio, error) {
	a := &audio{digit: digit, toning: make(chan struct{}, 1)}
	stream, err := rtp.Listen(rtp.Config{Pool: cfg.Ports, OnDigit: func(key byte) {
		a.signalled.Store(true)
		if a.once.Press(dtmf.Event, key, time.Now(), 0) {
			digit(key)
		}
	}})
	if err != nil {
		return nil, err
	}
	a.stream = stream
	return a, nil
}

func (a *audio) port() uint16 { return a.stream.LocalPort() }

// start takes what was agreed on into use, at first and after a re-INVITE. local
// is our address. way finds the way; nil: it is in m.
func (a *audio) start(local netip.Addr, m sdp.Media, s rtp.Security, way *webrtc.Peer) error {
	remote := rtp.Remote{RTP: m.Addr, RTCP: rtcpOf(m), Local: local}
	p := rtp.Params{
		Codec: m.Codec, PayloadType: m.PayloadType, LocalPT: m.LocalPT, EventPT: m.EventPT, LocalEventPT: m.LocalEventPT,
		PTime: int(m.Ptime / time.Millisecond), Direction: direction(m.Direction), Security: s,
	}
	if way != nil {
		remote.RTP, remote.RTCP, p.Escort = way.Selected(), netip.AddrPort{}, way
	}
	return a.stream.Start(remote, p)
}

func rtcpOf(m sdp.Media) netip.AddrPort {
	if m.Addr.Addr().IsUnspecified() {
		return netip.AddrPort{}
	}
	return m.RTCP
}

// direction is ours, given the far end's.
func direction(far sdp.Direction) rtp.Direction {
	switch far {
	case sdp.SendOnly:
		return rtp.RecvOnly
	case sdp.RecvOnly:
		return rtp.SendOnly
	case sdp.Inactive:
		return rtp.Inactive
	}
	return rtp.SendRecv
}

// answered looks for digits as tones, where they cannot come as events. It is
// called again when that may have changed.
func (a *audio) answered(m sdp.Media) {
	if m.EventPT != 0 {
		a.listening.Store(nil)
	} else if a.listening.Load() == nil {
		a.listening.Store(&ear{Detector: dtmf.NewDetector()})
	}
}

func (a *audio) sawEvents() bool { return a.signalled.Load() }

func (a *audio) close() {
	a.listening.Store(nil)
	_ = a.stream.Close() // its error says only that it was closed before
}

// ReadFrame implements media.Source. A key that is heard as a tone is reported
// and, from then until it is let go, left out of the sound: it reaches a bridge's
// other side as a digit, and must not be heard there a second time.
func (a *audio) ReadFrame(f *media.Frame) bool {
	ok := a.stream.ReadFrame(f)
	if e := a.listening.Load(); e != nil {
		in := f
		if !ok {
			in = &e.silence
		}
		if d, pressed := e.Write(in); pressed && a.once.Press(dtmf.InSound, d, time.Now(), 0) {
			a.digit(d)
		}
		if ok && e.Down() != 0 {
			f.Clear()
		}
	}
	return ok
}

// WriteFrame implements media.Sink.
func (a *audio) WriteFrame(f *media.Frame) {
	if t := a.tone.Load(); t != nil {
		if t.clip.ReadFrame(&t.frame) {
			a.stream.WriteFrame(&t.frame)
			return
		}
		if a.tone.CompareAndSwap(t, nil) {
			close(t.done)
		}
	}
	a.stream.WriteFrame(f)
}

// RelayTo implements media.Relayer. Where digits come as tones somebody must
// listen, so nothing is relayed.
func (a *audio) RelayTo(peer media.Port) bool {
	if a.listening.Load() != nil {
		return false
	}
	if p, ok := peer.(*audio); ok {
		return a.stream.RelayTo(p.stream)
	}
	return a.stream.RelayTo(peer)
}

// SetTransparent implements media.Transparent.
func (a *audio) SetTransparent() { a.stream.SetTransparent() }

// StopRelay implements media.Relayer.
func (a *audio) StopRelay() { a.stream.StopRelay() }

// tonePatience is how much longer than its own length a tone may take: the
// media clock sends it.
const tonePatience = 2 * time.Second

// sendDigit sends a digit as an event, or as a tone where there are no events.
func (a *audio) sendDigit(ctx context.Context, digit byte, d time.Duration, over <-chan struct{}) error {
	err := a.stream.SendDigit(ctx, digit, d)
	if errors.Is(err, rtp.ErrNoEvents) {
		err = a.sendTone(ctx, digit, d, over)
	}
	if errors.Is(err, rtp.ErrClosed) {
		return call.ErrLegEnded
	}
	return err
}

func (a *audio) sendTone(ctx context.Context, digit byte, d time.Duration, over <-chan struct{}) error {
	clip, err := dtmf.New(string(digit), dtmf.Config{On: d})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, clip.Duration()+tonePatience, errNoClock)
	defer cancel()
	select {
	case a.toning <- struct{}{}:
		defer func() { <-a.toning }()
	case <-over:
		return call.ErrLegEnded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	t := &toneOut{clip: clip, done: make(chan struct{})}
	a.tone.Store(t)
	defer a.tone.CompareAndSwap(t, nil)
	select {
	case <-t.done:
		return nil
	case <-over:
		return call.ErrLegEnded
	case <-ctx.Done():
		return fmt.Errorf("as a tone: %w", context.Cause(ctx))
	}
}

// errNoClock means that nobody wrote to the leg's sound while a tone was due.
var errNoClock = errors.New("the leg's sound is not being written")
