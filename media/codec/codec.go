package codec

import (
	"fmt"
	"strings"

	"github.com/zaf/g711"

	"callbox/media"
)

// coding is how a codec writes sound. 0 is "no codec".
type coding uint8

const (
	noCoding coding = iota
	muLaw           // G.711, µ-law
	aLaw            // G.711, A-law
	subBand         // G.722
	foreign         // a codec that the box only passes on
)

// Codec is one audio codec. It is a small comparable value that never changes;
// the zero Codec is "none" and encodes and decodes nothing. All methods may be
// called concurrently.
type Codec struct {
	// Name is the encoding name of SDP's rtpmap, upper case ("PCMU").
	Name string
	// PayloadType is the static RTP payload type of RFC 3551 §6, 0…95, or the
	// dynamic one, from 96, that the box offers.
	PayloadType uint8
	// ClockRate is the rate of the RTP timestamp in Hz.
	ClockRate int
	// FrameBytes is the size of the encoded 20 ms frame; 0: it varies.
	FrameBytes int

	coding coding
}

// The codecs of the box (RFC 3551 §4.5.2, §4.5.14). They are constants in all but
// name.
var (
	// PCMU is G.711 µ-law, payload type 0.
	PCMU = Codec{Name: "PCMU", PayloadType: 0, ClockRate: media.SampleRate, FrameBytes: media.FrameSamples, coding: muLaw}
	// PCMA is G.711 A-law, payload type 8.
	PCMA = Codec{Name: "PCMA", PayloadType: 8, ClockRate: media.SampleRate, FrameBytes: media.FrameSamples, coding: aLaw}
	// G722 is G.722 at 64 kbit/s, payload type 9. Its timestamps count 8,000 a
	// second, though it samples 16,000 (RFC 3551 §4.5.2); of those the box hears
	// and speaks the lower half of the band. Only a relay keeps the upper one.
	G722 = Codec{Name: "G722", PayloadType: 9, ClockRate: media.SampleRate, FrameBytes: media.FrameSamples, coding: subBand}
	// G729 (RFC 3551 §4.5.6) and Opus (RFC 7587) are only passed on, from one far
	// end to another: the box neither encodes nor decodes them.
	G729 = Codec{Name: "G729", PayloadType: 18, ClockRate: media.SampleRate, FrameBytes: 20, coding: foreign}
	Opus = Codec{Name: "opus", PayloadType: 107, ClockRate: 48000, coding: foreign}
)

// Telephone events (RFC 4733): key presses as RTP payloads.
const (
	// TelephoneEvent is the encoding name in SDP's rtpmap.
	TelephoneEvent = "telephone-event"
	// TelephoneEventRate is the rate of the event timestamps in Hz.
	TelephoneEventRate = 8000
	// TelephoneEventPT is the dynamic payload type that the box offers. The far
	// end may answer with another (RFC 3264 §6.1).
	TelephoneEventPT = 101
	// TelephoneEventFmtp is the list of events that the box understands: the
	// sixteen keys.
	TelephoneEventFmtp = "0-15"
)

// All gives the codecs that the box speaks, in its own order of preference. The
// slice is the caller's to keep.
func All() []Codec { return []Codec{PCMU, PCMA, G722} }

// Foreign gives those that it passes on without understanding them.
func Foreign() []Codec { return []Codec{Opus, G729} }

// ByName finds a codec, also a foreign one, by its rtpmap name, in any case (RFC
// 8866 §6.6 compares encoding names without case).
func ByName(name string) (Codec, bool) {
	for _, c := range append(All(), Foreign()...) {
		if strings.EqualFold(name, c.Name) {
			return c, true
		}
	}
	return Codec{}, false
}

// ByPayloadType finds a codec, also a foreign one, by its static payload type.
func ByPayloadType(pt uint8) (Codec, bool) {
	for _, c := range [...]Codec{PCMU, PCMA, G722, G729} {
		if pt == c.PayloadType {
			return c, true
		}
	}
	return Codec{}, false
}

// Decodable reports whether the box understands the codec.
func (c Codec) Decodable() bool { return c.coding != noCoding && c.coding != foreign }

// Channels is the number that SDP's rtpmap names: 2 for Opus, whatever it carries
// (RFC 7587 §7).
func (c Codec) Channels() int {
	if c == Opus {
		return 2
	}
	return 1
}

// String gives the codec as in SDP's rtpmap ("PCMU/8000"), or "none".
func (c Codec) String() string {
	if c.IsZero() {
		return "none"
	}
	if n := c.Channels(); n > 1 {
		return fmt.Sprintf("%s/%d/%d", c.Name, c.ClockRate, n)
	}
	return fmt.Sprintf("%s/%d", c.Name, c.ClockRate)
}

// IsZero reports whether c is no codec at all.
func (c Codec) IsZero() bool { return c.coding == noCoding }

// Bytes is the size of n encoded samples; 0 for a foreign codec.
func (c Codec) Bytes(n int) int {
	if !c.Decodable() {
		return 0
	}
	return n
}

// Samples is the number of samples that n encoded bytes hold; 0 for a foreign
// codec.
func (c Codec) Samples(n int) int {
	if !c.Decodable() {
		return 0
	}
	return n
}

// Stateless reports whether each code word stands for itself, so that Encode and
// Decode can be used; a codec that remembers needs an [Encoder] and a [Decoder].
func (c Codec) Stateless() bool { return c.coding == muLaw || c.coding == aLaw }

// Silence is the code word of the sample 0 (G.711: 0xFF in µ-law, 0xD5 in A-law);
// 0 for a codec that remembers.
func (c Codec) Silence() byte {
	switch c.coding {
	case muLaw:
		return 0xFF
	case aLaw:
		return 0xD5
	}
	return 0
}

// Encode writes src encoded to dst and gives the number of bytes written: as
// many samples as both have room for, none for a codec that remembers. It does
// not allocate.
func (c Codec) Encode(dst []byte, src []int16) int {
	n := min(len(dst), len(src))
	dst, src = dst[:n], src[:n]
	switch c.coding {
	case muLaw:
		for i, s := range src {
			dst[i] = g711.EncodeUlawFrame(s)
		}
	case aLaw:
		for i, s := range src {
			dst[i] = g711.EncodeAlawFrame(s)
		}
	default:
		return 0
	}
	return n
}

// Decode writes src decoded to dst and gives the number of samples written: as
// many as both have room for, none for a codec that remembers. It does not
// allocate.
func (c Codec) Decode(dst []int16, src []byte) int {
	n := min(len(dst), len(src))
	dst, src = dst[:n], src[:n]
	switch c.coding {
	case muLaw:
		for i, b := range src {
			dst[i] = g711.DecodeUlawFrame(b)
		}
	case aLaw:
		for i, b := range src {
			dst[i] = g711.DecodeAlawFrame(b)
		}
	default:
		return 0
	}
	return n
}

// Convert rewrites payload, encoded by from, in place so that c decodes it, code
// word by code word (G.711 tables 3 and 4). Equal codecs change nothing. It does
// not allocate. It reports false when there is no conversion.
func (c Codec) Convert(payload []byte, from Codec) bool {
	switch {
	case c == from:
	case c.coding == aLaw && from.coding == muLaw:
		for i, b := range payload {
			payload[i] = g711.Ulaw2AlawFrame(b)
		}
	case c.coding == muLaw && from.coding == aLaw:
		for i, b := range payload {
			payload[i] = g711.Alaw2UlawFrame(b)
		}
	default:
		return false
	}
	return true
}
