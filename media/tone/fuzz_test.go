package tone

import (
	"encoding/binary"
	"testing"
	"time"

	"callbox/media"
)

// recorded is the beginning of a tone as bytes: 16-bit samples, little-endian.
func recorded(tn Tone, level float64, frames int) []byte {
	g := New(tn, level)
	var b []byte
	var f media.Frame
	for range frames {
		g.ReadFrame(&f)
		for _, v := range f {
			b = binary.LittleEndian.AppendUint16(b, uint16(v))
		}
	}
	return b
}

// eachFrame gives the sound in b to hear, over and over: short inputs make rhythms
// that last.
func eachFrame(b []byte, hear func(*media.Frame)) {
	const rounds = 8
	var f media.Frame
	for range rounds {
		for at := 0; at+1 < len(b); at += 2 * len(f) {
			f.Clear()
			for i := range f {
				if k := at + 2*i; k+1 < len(b) {
					f[i] = int16(binary.LittleEndian.Uint16(b[k:]))
				}
			}
			hear(&f)
		}
	}
}

// FuzzDetector gives any sound to the detector of any country: it tells tones that
// there are, and what it remembers stays within its bounds.
func FuzzDetector(f *testing.F) {
	codes := Codes()
	for i, code := range codes {
		c, ok := ByCountry(code)
		if !ok {
			f.Fatal(code)
		}
		if i%8 == 0 { // some countries are enough
			for _, tn := range []Tone{c.Dial, c.Ringback, c.Busy, c.Congestion} {
				f.Add(uint8(i), recorded(tn, -15, 30))
			}
		}
	}
	f.Add(uint8(0), recorded(information, -15, 60))
	f.Add(uint8(255), []byte{0xff, 0x7f, 0, 0x80})
	f.Fuzz(func(t *testing.T, country uint8, b []byte) {
		c, _ := ByCountry(codes[int(country)%len(codes)])
		d := NewDetector(c)
		eachFrame(b, func(f *media.Frame) {
			if k := d.WriteFrame(f); k < NoTone || k > InformationTone {
				t.Fatalf("there is no tone %d", k)
			}
			if d.n > maxRuns || d.now.n < 0 {
				t.Fatalf("%d runs are kept, the present one has %d samples", d.n, d.now.n)
			}
		})
	})
}

// FuzzFaxDetector gives any sound to the detector of fax machines, which is never
// sure before an answer tone can have been heard, and a second after a sound never of
// silence.
func FuzzFaxDetector(f *testing.F) {
	f.Add(recorded(AnswerTone, -15, 30))
	f.Add(recorded(CallingTone, -15, 176))
	f.Add([]byte{0xff, 0x7f, 0, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		d := NewFaxDetector()
		n := 0
		eachFrame(b, func(f *media.Frame) {
			n++
			if d.WriteFrame(f) && n < answerFrames {
				t.Fatalf("sure after %d frames", n)
			}
		})
		var silence media.Frame
		for range int(time.Second / media.FrameDuration) {
			d.WriteFrame(&silence)
		}
		for range 10 * int(time.Second/media.FrameDuration) {
			if d.WriteFrame(&silence) {
				t.Fatal("sure of silence")
			}
		}
	})
}
