// Package codec knows the audio codecs that the box speaks: their names and
// numbers as SDP and RTP use them, and how one frame is encoded and decoded.
//
// It owns [Codec], the table of known codecs ([PCMU], [PCMA], [G722]
// and, which are only passed on, [G729] and [Opus]), the
// look-ups by name and by static payload type, the [Encoder] and [Decoder] of a
// stream, and the constants of RFC 4733 telephone events. It may import media
// only; github.com/zaf/g711 and github.com/gotranspile/g722 are used here and
// nowhere else, of the first only its per-sample functions, because its slice
// functions allocate. It is tested by tables, by round trips over every sample
// and every code word, by what tones lose on the way, and by
// testing.AllocsPerRun, which must be 0.
package codec
