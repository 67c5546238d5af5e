package codec_test

import (
	"math"
	"testing"

	"callbox/media"
	"callbox/media/codec"
)

func TestLookUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		want codec.Codec
		ok   bool
	}{
		{"PCMU", codec.PCMU, true},
		{"pcma", codec.PCMA, true},
		{"PcMu", codec.PCMU, true},
		{"G722", codec.Codec{}, false},
		{"telephone-event", codec.Codec{}, false},
		{"", codec.Codec{}, false},
	} {
		got, ok := codec.ByName(c.name)
		if got != c.want || ok != c.ok {
			t.Errorf("ByName(%q) = %v, %v; want %v, %v", c.name, got, ok, c.want, c.ok)
		}
	}
	for pt := range 256 {
		got, ok := codec.ByPayloadType(uint8(pt))
		switch pt {
		case 0:
			if got != codec.PCMU || !ok {
				t.Errorf("payload type 0 = %v, %v", got, ok)
			}
		case 8:
			if got != codec.PCMA || !ok {
				t.Errorf("payload type 8 = %v, %v", got, ok)
			}
		default:
			if ok || !got.IsZero() {
				t.Errorf("payload type %d = %v, want none", pt, got)
			}
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	all := codec.All()
	if len(all) != 2 || all[0] != codec.PCMU || all[1] != codec.PCMA {
		t.Fatalf("All() = %v", all)
	}
	all[0] = codec.Codec{}
	if codec.All()[0] != codec.PCMU {
		t.Error("the caller could change the table")
	}
	for _, c := range codec.All() {
		if c.ClockRate != 8000 || c.FrameBytes != 160 || c.IsZero() {
			t.Errorf("%v: %+v", c, c)
		}
		if got := c.String(); got != c.Name+"/8000" {
			t.Errorf("String() = %q", got)
		}
		if c.Bytes(160) != 160 || c.Samples(80) != 80 {
			t.Errorf("%v: wrong sizes", c)
		}
	}
	if s := (codec.Codec{}).String(); s != "none" {
		t.Errorf("zero codec is %q", s)
	}
}

// TestEverySample encodes each of the 65,536 samples and allows the error that
// the law's step width allows.
func TestEverySample(t *testing.T) {
	t.Parallel()
	for _, c := range codec.All() {
		for s := math.MinInt16; s <= math.MaxInt16; s++ {
			in := []int16{int16(s)}
			var code [1]byte
			var out [1]int16
			c.Encode(code[:], in)
			c.Decode(out[:], code[:])
			diff := math.Abs(float64(out[0]) - float64(s))
			// A segment's step is 1/16 of its base; µ-law adds its bias of 132 and
			// clips at 32,635.
			limit := math.Abs(float64(s))/32 + 16
			if math.Abs(float64(s)) > 32000 {
				limit = 1100
			}
			if diff > limit {
				t.Fatalf("%v: sample %d came back as %d", c, s, out[0])
			}
		}
	}
}

// TestEveryCodeWord decodes and encodes each code word: it must come back, but
// for the negative zero of µ-law.
func TestEveryCodeWord(t *testing.T) {
	t.Parallel()
	for _, c := range codec.All() {
		for b := range 256 {
			var s [1]int16
			var back [1]byte
			c.Decode(s[:], []byte{byte(b)})
			c.Encode(back[:], s[:])
			if back[0] != byte(b) && s[0] != 0 {
				t.Errorf("%v: %#02x decodes to %d, which encodes to %#02x", c, b, s[0], back[0])
			}
		}
	}
}

// TestKnownValues holds values of G.711 tables 1a and 2a.
func TestKnownValues(t *testing.T) {
	t.Parallel()
	for _, k := range []struct {
		c      codec.Codec
		code   byte
		sample int16
	}{
		{codec.PCMU, 0xFF, 0}, {codec.PCMU, 0x80, 32124}, {codec.PCMU, 0x00, -32124},
		{codec.PCMA, 0xD5, 8}, {codec.PCMA, 0x55, -8}, {codec.PCMA, 0xAA, 32256}, {codec.PCMA, 0x2A, -32256},
	} {
		var s [1]int16
		if k.c.Decode(s[:], []byte{k.code}); s[0] != k.sample {
			t.Errorf("%v: %#02x = %d, want %d", k.c, k.code, s[0], k.sample)
		}
	}
	for _, c := range codec.All() {
		var b [1]byte
		if c.Encode(b[:], []int16{0}); b[0] != c.Silence() {
			t.Errorf("%v: silence is %#02x, want %#02x", c, c.Silence(), b[0])
		}
	}
}

func TestLengths(t *testing.T) {
	t.Parallel()
	var f media.Frame
	for i := range f {
		f[i] = 1000
	}
	c := codec.PCMA
	if n := c.DecodeFrame(&f, make([]byte, 80)); n != 80 {
		t.Errorf("decoded %d samples of a short payload", n)
	}
	for i, s := range f[80:] {
		if s != 0 {
			t.Fatalf("sample %d after a short payload is %d", 80+i, s)
		}
	}
	if n := c.DecodeFrame(&f, make([]byte, 400)); n != 160 {
		t.Errorf("decoded %d samples of a long payload", n)
	}
	if n := c.EncodeFrame(make([]byte, 100), &f); n != 100 {
		t.Errorf("encoded %d samples into 100 bytes", n)
	}
	var none codec.Codec
	f[0] = 7
	if n := none.EncodeFrame(make([]byte, 160), &f); n != 0 {
		t.Errorf("no codec encoded %d bytes", n)
	}
	if n := none.DecodeFrame(&f, make([]byte, 160)); n != 0 || f[0] != 0 {
		t.Errorf("no codec decoded %d samples, first %d", n, f[0])
	}
	if none.Bytes(160) != 0 || none.Samples(160) != 0 || none.Silence() != 0 {
		t.Error("no codec has sizes")
	}
}

// TestConvert converts every code word: what is heard must stay within one step
// of the coarser law.
func TestConvert(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ from, to codec.Codec }{{codec.PCMU, codec.PCMA}, {codec.PCMA, codec.PCMU}, {codec.PCMA, codec.PCMA}} {
		for b := range 256 {
			word := []byte{byte(b)}
			var before, after [1]int16
			c.from.Decode(before[:], word)
			if !c.to.Convert(word, c.from) {
				t.Fatalf("%v to %v: no conversion", c.from, c.to)
			}
			c.to.Decode(after[:], word)
			if diff := math.Abs(float64(after[0]) - float64(before[0])); diff > math.Abs(float64(before[0]))/15+16 {
				t.Errorf("%v to %v: %d became %d", c.from, c.to, before[0], after[0])
			}
		}
	}
	if codec.PCMU.Convert([]byte{1}, codec.Codec{}) || (codec.Codec{}).Convert([]byte{1}, codec.PCMA) {
		t.Error("converted from or to no codec")
	}
}

func TestNoAllocations(t *testing.T) {
	var f media.Frame
	buf := make([]byte, 160)
	for _, c := range codec.All() {
		if n := testing.AllocsPerRun(100, func() {
			c.EncodeFrame(buf, &f)
			c.DecodeFrame(&f, buf)
		}); n != 0 {
			t.Errorf("%v: %v allocations per frame", c, n)
		}
	}
}

func BenchmarkEncodeFrame(b *testing.B) {
	var f media.Frame
	for i := range f {
		f[i] = int16(i * 200)
	}
	buf := make([]byte, 160)
	for _, c := range codec.All() {
		b.Run(c.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.EncodeFrame(buf, &f)
			}
		})
	}
}

func BenchmarkDecodeFrame(b *testing.B) {
	var f media.Frame
	buf := make([]byte, 160)
	for i := range buf {
		buf[i] = byte(i)
	}
	for _, c := range codec.All() {
		b.Run(c.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.DecodeFrame(&f, buf)
			}
		})
	}
}
