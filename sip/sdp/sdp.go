package sdp

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"callbox/media/codec"
)

// Errors that callers branch on. All of them mean that the session cannot be
// had (SIP 488), except ErrMalformed (SIP 400).
var (
	// ErrMalformed is or is wrapped by every error about text that is no session
	// description.
	ErrMalformed = errors.New("malformed session description")
	// ErrNoAudio means that there is no audio stream, or that it was switched off.
	ErrNoAudio = errors.New("no audio stream in the session description")
	// ErrNoCodec means that the two sides have no audio codec in common.
	ErrNoCodec = errors.New("no audio codec in common")
	// ErrForeign means that those in common can only be passed on to another far end.
	ErrForeign = errors.New("no audio codec in common that the box decodes; it passes Opus and G729 on between two SIP parties and understands neither")
)

// Direction is who sends, seen from the side that wrote it (RFC 8866 §6.7).
type Direction int

const (
	SendRecv Direction = iota
	SendOnly
	RecvOnly
	Inactive
)

var directionNames = [...]string{"sendrecv", "sendonly", "recvonly", "inactive"}

// String gives the attribute's name.
func (d Direction) String() string {
	if d < 0 || int(d) >= len(directionNames) {
		return "unknown"
	}
	return directionNames[d]
}

// Sends reports whether the side that wrote d sends.
func (d Direction) Sends() bool { return d == SendRecv || d == SendOnly }

// Receives reports whether the side that wrote d wants to receive.
func (d Direction) Receives() bool { return d == SendRecv || d == RecvOnly }

// Answer is the direction to answer with when d was offered and local is what
// we would like: nobody sends what the other does not want (RFC 3264 §6.1).
func (d Direction) Answer(local Direction) Direction {
	send := local.Sends() && d.Receives()
	recv := local.Receives() && d.Sends()
	switch {
	case send && recv:
		return SendRecv
	case send:
		return SendOnly
	case recv:
		return RecvOnly
	}
	return Inactive
}

// Named gives the codecs of these names that the box has, in this order, each
// once. A name may be followed by parameters, see [Parameters].
func Named(names []string) []codec.Codec {
	var out []codec.Codec
	for _, n := range names {
		n, _, _ = strings.Cut(n, " ")
		if c, ok := codec.ByName(n); ok && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// Parameters gives the parameters of codecs that names hold: "opus useinbandfec=1"
// has those of a=fmtp behind a space.
func Parameters(names []string) map[codec.Codec]string {
	var out map[codec.Codec]string
	for _, n := range names {
		n, fmtp, _ := strings.Cut(n, " ")
		if c, ok := codec.ByName(n); ok && fmtp != "" {
			if out == nil {
				out = map[codec.Codec]string{}
			}
			out[c] = fmtp
		}
	}
	return out
}

// Prefer gives list with the codecs of first before the others; those that list
// lacks are left out.
func Prefer(list, first []codec.Codec) []codec.Codec {
	var out []codec.Codec
	for _, c := range slices.Concat(first, list) {
		if slices.Contains(list, c) && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// mute is d without sending.
func (d Direction) mute() Direction {
	if d.Receives() {
		return RecvOnly
	}
	return Inactive
}

// Media is the stream that was agreed on, seen from us: where and how to send.
type Media struct {
	// Addr is where the far end receives RTP. Its address is unspecified
	// (0.0.0.0) for a hold in the old style: then nothing may be sent.
	Addr netip.AddrPort
	// RTCP is where the far end receives RTCP: a=rtcp (RFC 3605) or Addr's port
	// plus one.
	RTCP netip.AddrPort
	// Codec is the agreed codec.
	Codec codec.Codec
	// PayloadType is the number to send the codec's packets with.
	PayloadType uint8
	// LocalPT is the number with which they arrive: what we offered, or the far
	// end's own when it offered.
	LocalPT uint8
	// Fmtp are the far end's parameters of the codec, as in a=fmtp.
	Fmtp string
	// EventPT is the payload type of telephone events at the codec's rate, 0 when
	// the far end cannot take them.
	EventPT uint8
	// LocalEventPT is the one with which they arrive: what we offered, or the far
	// end's own when it offered.
	LocalEventPT uint8
	// Ptime is the packet time to send with: what the far end would like, 20 ms when
	// it did not say, within its a=maxptime, in whole tens of milliseconds from 10 to 60.
	Ptime time.Duration
	// Direction is the far end's own: what it sends and wants.
	Direction Direction
	// Crypto is the far end's key; zero: the packets go in the clear. Our own is
	// that of the same suite in [Local].Keys.
	Crypto Crypto
	// Web is the far end's side of a stream for browsers, whose Addr and RTCP mean
	// nothing: ICE finds the way. Zero: the stream is none.
	Web FarWeb
	// Fax is the far end's side of a fax that has replaced the sound; zero: there is
	// none. With it only Addr means something.
	Fax Fax
}

// Held reports whether the far end does not want to hear us (RFC 3264 §8.4,
// and the older 0.0.0.0 of RFC 2543).
func (m Media) Held() bool {
	return !m.Direction.Receives() || m.Addr.Addr().IsUnspecified() && m.Web.IsZero()
}
