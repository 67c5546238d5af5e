//go:build bench

package bench

import (
	"bytes"
	"math"
	"testing"

	"callbox/media/codec"
)

// A mark is a time and a call, written into the µ-law sound itself:
//
//	sync 6 | call 2 | time 11 | check 1        bytes, at the start of a packet
//
// The time is in ns since 1970. Each byte after sync carries six
// bits as 0xC0 + value: these 64 codes of µ-law come back unchanged when a
// gateway decodes and encodes them (0x7F, the negative zero, would not), so a
// mark passes a decoded path too, at whatever place in a packet.
const (
	markSync  = "\x52\x4D\x45\x5A\x4B\x56"
	markCall  = len(markSync)
	markTime  = markCall + 2
	markCheck = markTime + 11
	markBytes = markCheck + 1
	sixBits   = 0x3F
)

// putMark writes a mark to the start of b.
func putMark(b []byte, call int, ns int64) {
	copy(b, markSync)
	put := func(at, n int, v int64) {
		for i := range n {
			b[at+i] = 0xC0 | byte(v>>(6*i))&sixBits
		}
	}
	put(markCall, 2, int64(call))
	put(markTime, 11, ns)
	b[markCheck] = markSum(b)
}

func markSum(b []byte) byte {
	sum := byte(0)
	for _, v := range b[markCall:markCheck] {
		sum = sum*5 + v
	}
	return 0xC0 | sum&sixBits
}

// findMark looks for a whole mark in b and gives its place, -1 without one.
func findMark(b []byte) (at, call int, ns int64) {
	for from := 0; ; {
		i := bytes.Index(b[from:], []byte(markSync))
		if i < 0 || len(b)-from-i < markBytes {
			return -1, 0, 0
		}
		m := b[from+i : from+i+markBytes]
		if markSum(m) == m[markCheck] {
			get := func(at, n int) (v int64) {
				for k := range n {
					v |= int64(m[at+k]&sixBits) << (6 * k)
				}
				return v
			}
			return from + i, int(get(markCall, 2)), get(markTime, 11)
		}
		from += i + 1
	}
}

// filler is 20 ms of a tone, a packet's sound behind the mark.
func filler() []byte {
	out := make([]byte, packetBytes)
	var s [packetBytes]int16
	for i := range s {
		s[i] = int16(6000 * math.Sin(2*math.Pi*300*float64(i)/8000))
	}
	codec.PCMU.Encode(out, s[:])
	return out
}

// TestMark holds the judge of sound to its word: a mark is found wherever it
// lies, passes decoding and encoding, and is not seen in plain sound.
func TestMark(t *testing.T) {
	quiet := append(filler(), filler()...)
	if at, _, _ := findMark(quiet); at >= 0 {
		t.Errorf("a mark was seen in plain sound at %d", at)
	}
	for shift := range packetBytes {
		sound := append(filler(), filler()...)
		call, ns := shift*13%4096, 1_700_000_000_000_000_000+int64(shift)*987_654_321_987
		putMark(sound[shift:], call, ns)
		var pcm [2 * packetBytes]int16
		codec.PCMU.Decode(pcm[:], sound)
		codec.PCMU.Encode(sound, pcm[:])
		at, gotCall, gotNS := findMark(sound)
		if at != shift || gotCall != call || gotNS != ns {
			t.Fatalf("the mark of call %d, %d ns at %d was read as call %d, %d ns at %d", call, ns, shift, gotCall, gotNS, at)
		}
		sound[shift+markTime] ^= 1
		if at, _, _ := findMark(sound); at >= 0 {
			t.Fatalf("a damaged mark was taken for a whole one")
		}
	}
}
