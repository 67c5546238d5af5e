package codec_test

import (
	"math"
	"testing"

	"callbox/media"
	"callbox/media/codec"
)

// laws are the codecs that do not remember.
var laws = []codec.Codec{codec.PCMU, codec.PCMA}

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
		{"g722", codec.G722, true},
		{"g729", codec.G729, true},
		{"OPUS", codec.Opus, true},
		{"iLBC", codec.Codec{}, false},
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
		case 9:
			if got != codec.G722 || !ok {
				t.Errorf("payload type 9 = %v, %v", got, ok)
			}
		case 18:
			if got != codec.G729 || !ok {
				t.Errorf("payload type 18 = %v, %v", got, ok)
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
	if len(all) != 3 || all[0] != codec.PCMU || all[1] != codec.PCMA || all[2] != codec.G722 {
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
		if got := c.String(); got != c.Name+"/8000" || !c.Decodable() {
			t.Errorf("String() = %q", got)
		}
		if c.Bytes(160) != 160 || c.Samples(80) != 80 {
			t.Errorf("%v: wrong sizes", c)
		}
	}
	for c, name := range map[codec.Codec]string{codec.Opus: "opus/48000/2", codec.G729: "G729/8000"} {
		if c.String() != name || c.Decodable() || c.IsZero() || c.Stateless() || c.Bytes(160) != 0 || c.Samples(20) != 0 {
			t.Errorf("a foreign codec: %+v", c)
		}
		var f media.Frame
		if n := c.NewEncoder().Frame(make([]byte, 160), &f) + c.NewDecoder().Decode(f[:], make([]byte, 160)); n != 0 {
			t.Errorf("%v: made %d of what it does not know", c, n)
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
	for _, c := range laws {
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
	for _, c := range laws {
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
	for _, c := range laws {
		var b [1]byte
		if c.Encode(b[:], []int16{0}); b[0] != c.Silence() {
			t.Errorf("%v: silence is %#02x, want %#02x", c, c.Silence(), b[0])
		}
	}
}

func TestLengths(t *testing.T) {
	t.Parallel()
	var f media.Frame
	var pcm [400]int16
	for _, c := range codec.All() {
		d, e := c.NewDecoder(), c.NewEncoder()
		if d.Codec() != c || e.Codec() != c || c.Stateless() != (c != codec.G722) {
			t.Errorf("%v: is %v, %v, stateless %v", c, d.Codec(), e.Codec(), c.Stateless())
		}
		if n := d.Decode(pcm[:], make([]byte, 80)); n != 80 {
			t.Errorf("%v: %d samples of 80 bytes", c, n)
		}
		if n := d.Decode(pcm[:160], make([]byte, 400)); n != 160 {
			t.Errorf("%v: %d samples where 160 have room", c, n)
		}
		if n := e.Frame(make([]byte, 100), &f); n != 100 {
			t.Errorf("%v: encoded %d samples into 100 bytes", c, n)
		}
		if n := e.Frame(make([]byte, 200), &f); n != 160 {
			t.Errorf("%v: a frame takes %d bytes", c, n)
		}
		if n := d.Decode(nil, nil) + d.Decode(pcm[:], nil) + d.Decode(nil, make([]byte, 9)) + e.Frame(nil, &f); n != 0 {
			t.Errorf("%v: %d of nothing", c, n)
		}
	}
	var none codec.Codec
	if n := none.NewEncoder().Frame(make([]byte, 160), &f) + none.NewDecoder().Decode(pcm[:], make([]byte, 160)); n != 0 {
		t.Errorf("no codec made %d", n)
	}
	if none.Bytes(160) != 0 || none.Samples(160) != 0 || none.Silence() != 0 {
		t.Error("no codec has sizes")
	}
	if codec.G722.Encode(make([]byte, 160), f[:]) != 0 || codec.G722.Decode(f[:], make([]byte, 160)) != 0 {
		t.Error("a codec that remembers was used without its memory")
	}
}

// TestQuality sends tones through each codec: what comes back is close to what
// went in, also when a packet was lost a little before.
func TestQuality(t *testing.T) {
	t.Parallel()
	for _, c := range codec.All() {
		for _, hz := range []float64{300, 1000, 2500, 3300} {
			e, d := c.NewEncoder(), c.NewDecoder()
			var in, out []float64
			for n := range 60 {
				var f media.Frame
				for i := range f {
					f[i] = int16(9000 * math.Sin(2*math.Pi*hz*float64(n*len(f)+i)/media.SampleRate))
				}
				var b [160]byte
				e.Frame(b[:], &f)
				if n == 10 {
					continue // lost
				}
				var pcm [160]int16
				d.Decode(pcm[:], b[:])
				if n < 20 {
					continue
				}
				for i := range f {
					in, out = append(in, float64(f[i])), append(out, float64(pcm[i]))
				}
			}
			if db := likeness(in, out); db < 25 {
				t.Errorf("%v, %.0f Hz: %.1f dB", c, hz, db)
			}
		}
	}
}

// likeness is the ratio of a sound to what differs from it in out, in dB, at the
// delay and the level that fit best.
func likeness(in, out []float64) float64 {
	best := math.Inf(-1)
	for lag := range 40 {
		a, b := in[:len(in)-lag], out[lag:]
		var aa, ab, bb float64
		for i := range a {
			aa, ab, bb = aa+a[i]*a[i], ab+a[i]*b[i], bb+b[i]*b[i]
		}
		share := ab * ab / (aa * bb)
		best = max(best, 10*math.Log10(share/(1-share)))
	}
	return best
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
		e, d := c.NewEncoder(), c.NewDecoder()
		if n := testing.AllocsPerRun(100, func() {
			e.Frame(buf, &f)
			d.Decode(f[:], buf)
		}); n != 0 {
			t.Errorf("%v: %v allocations per frame", c, n)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	var f media.Frame
	for i := range f {
		f[i] = int16(i * 200)
	}
	buf := make([]byte, 160)
	for _, c := range codec.All() {
		b.Run(c.Name, func(b *testing.B) {
			e := c.NewEncoder()
			b.ReportAllocs()
			for b.Loop() {
				e.Frame(buf, &f)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	var f media.Frame
	buf := make([]byte, 160)
	for i := range buf {
		buf[i] = byte(i)
	}
	for _, c := range codec.All() {
		b.Run(c.Name, func(b *testing.B) {
			d := c.NewDecoder()
			b.ReportAllocs()
			for b.Loop() {
				d.Decode(f[:], buf)
			}
		})
	}
}
