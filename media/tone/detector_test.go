package tone

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"callbox/media"
	"callbox/media/mediatest"
	"callbox/media/speech"
)

var update = flag.Bool("update", false, "write the golden sounds of testdata anew")

// signal is a tone as it comes down a line: at a level, with noise some dB under it,
// its frequencies and times off by some parts in a thousand, after a pause.
type signal struct {
	level, snr      float64
	detune, stretch float64 // parts per thousand
	before          time.Duration
	lead            []int16
	seed            uint64
}

func (g signal) of(t *testing.T, tn Tone, d time.Duration) []int16 {
	t.Helper()
	var off Tone
	for _, s := range tn.Steps {
		n := Step{AM: s.AM, Gain: s.Gain, Duration: time.Duration(float64(s.Duration) * (1 + g.stretch/1000)).Round(time.Millisecond)}
		for _, hz := range s.Hz {
			n.Hz = append(n.Hz, hz*(1+g.detune/1000))
		}
		off.Steps = append(off.Steps, n)
	}
	off.From = tn.From
	gen := New(off, g.level)
	out := append([]int16(nil), g.lead...)
	out = append(out, make([]int16, media.SamplesIn(g.before))...)
	var f media.Frame
	for n := 0; n < media.SamplesIn(d); n += len(f) {
		gen.ReadFrame(&f)
		out = append(out, f[:]...)
	}
	r := rand.New(rand.NewPCG(g.seed, 5))
	k := media.Amplitude(g.level-g.snr) / math.Sqrt2
	for i := range out {
		out[i] = media.Clamp(int32(float64(out[i]) + k*r.NormFloat64()))
	}
	return out
}

// hear gives all that a detector tells of a sound.
func hear(c Country, s []int16) (heard []Kind, at []time.Duration) {
	d := NewDetector(c)
	var f media.Frame
	for i := 0; i+len(f) <= len(s); i += len(f) {
		copy(f[:], s[i:])
		if k := d.WriteFrame(&f); k != NoTone {
			heard, at = append(heard, k), append(at, media.DurationOf(i+len(f)))
		}
	}
	return heard, at
}

// kinds are a country's tones by what they must be taken for: what sounds like
// another is that.
func kinds(c Country) map[Kind]Tone {
	m := map[Kind]Tone{DialTone: c.Dial, RingbackTone: c.Ringback, BusyTone: c.Busy, CongestionTone: c.Congestion, InformationTone: c.Information}
	if fmt.Sprint(c.Congestion) == fmt.Sprint(c.Busy) || c.Code == "AU" { // the same but for the level
		delete(m, CongestionTone)
	}
	return m
}

// Every tone of every country is told from the others, once, at several levels, in
// noise, and off by as much as networks are.
func TestDetector(t *testing.T) {
	t.Parallel()
	missed, wrong, all := 0, 0, 0
	var late time.Duration
	for nth, code := range Codes() {
		c, _ := ByCountry(code)
		for want, tn := range kinds(c) {
			for i, g := range []signal{
				{level: -13, snr: 40}, {level: -35, snr: 20, before: 777 * time.Millisecond}, {level: -10, snr: 15, detune: 8, stretch: 50, before: 333 * time.Millisecond},
				{level: -24, snr: 25, detune: -8, stretch: -50, before: 1009 * time.Millisecond},
			} {
				if (i+nth)%2 == 0 {
					continue // half of them at each network
				}
				g.seed = uint64(i)
				all++
				d := 3*tn.Period() + 3*time.Second
				if tn.Period() == 0 {
					d = 4 * time.Second
				}
				heard, at := hear(c, g.of(t, tn, d))
				switch {
				case len(heard) == 1 && heard[0] == want:
					if over := at[0] - g.before - 2*tn.Period(); over > late {
						late = over
					}
				case len(heard) == 0:
					missed++
					t.Logf("%s %v missed (%+v)", code, want, g)
				default:
					wrong++
					t.Logf("%s %v taken for %v (%+v)", code, want, heard, g)
				}
			}
		}
	}
	t.Logf("of %d tones %d were missed (%.2f %%) and %d taken for others (%.2f %%); told at most %v after two rounds", all, missed, 100*float64(missed)/float64(all), wrong, 100*float64(wrong)/float64(all), late)
	if missed*200 > all || wrong*200 > all {
		t.Error("more than 0.5 % were missed or mistaken")
	}
}

// TestGoldenTones: ringing and busy tones sound as they did, and what is kept of one
// round of them is taken for that tone when it goes on.
func TestGoldenTones(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"US", "DE", "GB"} {
		c, _ := ByCountry(code)
		for kind, tn := range map[Kind]Tone{RingbackTone: c.Ringback, BusyTone: c.Busy} {
			made, err := media.ReadAll(Clip(tn, DefaultLevel, tn.Period()), time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("testdata/%s-%v.wav", strings.ToLower(code), kind)
			golden := mediatest.Golden(t, name, made[:media.SamplesIn(tn.Period())], *update)
			sound := golden
			for len(sound) < media.SamplesIn(3*tn.Period()+3*time.Second) {
				sound = append(sound, golden...)
			}
			if heard, _ := hear(c, sound); len(heard) != 1 || heard[0] != kind {
				t.Errorf("%s is heard as %v", name, heard)
			}
		}
	}
}

// talked is the speech of talk, made once.
var talked struct {
	sync.Mutex
	s []int16
}

// talk is minutes of speech in several voices.
func talk(t testing.TB, minutes int) []int16 {
	t.Helper()
	talked.Lock()
	defer talked.Unlock()
	out := talked.s
	voices := []struct{ voice, text string }{
		{"en", "Please hold the line while we connect you to the next free agent. Your call is important to us, and it will be answered in the order in which it came. "},
		{"en-us+f3", "Oh no, I mean, you know, who would do so? Two or three hundred people were moving through the room, humming a slow tune. "},
		{"de+m4", "Guten Morgen, hier ist die Auskunft. Um wie viel Uhr möchten Sie morgen früh zur Uhr gerufen werden? Nur zu, nur Mut. "},
		{"fr+f2", "Bonjour, vous êtes bien chez nous. Nous sommes fermés pour tout le mois d'août. Où voulez-vous que nous vous joignions ? "},
		{"es", "Uno, dos, tres, cuatro, cinco. Un momento por favor, no cuelgue. Ahora mismo le comunico con una operadora. "},
	}
	want := minutes * 60 * media.SampleRate
	sp := speech.New(speech.Config{})
	for i := 0; len(out) < want; i++ {
		v := voices[i%len(voices)]
		clip, err := sp.Speak(t.Context(), strings.Repeat(v.text, 8)+fmt.Sprint(i), v.voice, "")
		if err != nil {
			t.Fatalf("this test needs espeak-ng (apt-get install espeak-ng): %v", err)
		}
		for f := (media.Frame{}); clip.ReadFrame(&f); {
			out = append(out, f[:]...)
		}
		_ = clip.Close()
	}
	talked.s = out
	return out[:want]
}

// In ten minutes of speech, in noise and in music there is no tone of any network.
func TestNoToneInSpeech(t *testing.T) {
	t.Parallel()
	sounds := map[string][]int16{"speech": talk(t, 10), "music": Music(), "noise": signal{level: -20, snr: 0}.of(t, Tone{Steps: []Step{{}}}, time.Minute)}
	for _, code := range []string{"US", "GB", "DE", "FR", "JP", "IN", "ZA", "CN", "NZ", "IT"} {
		c, _ := ByCountry(code)
		for name, s := range sounds {
			if heard, at := hear(c, s); len(heard) > 0 {
				t.Errorf("%s: in %s: %v at %v", code, name, heard, at)
			}
		}
	}
}

// A beep, a fax and a digit are no tones of the network; a tone is told again after
// something else.
func TestDetectorAndOtherTones(t *testing.T) {
	t.Parallel()
	de, _ := ByCountry("DE")
	once := func(d time.Duration, hz ...float64) Tone {
		return Tone{Steps: []Step{{Hz: hz, Duration: d}, {}}}
	}
	for name, tn := range map[string]Tone{
		"beep": once(400*time.Millisecond, 1400), "long beep": once(time.Second, 425), "answer tone": once(3*time.Second, 2100),
		"digit": once(100*time.Millisecond, 770, 1336), "two parts": {Steps: []Step{{Hz: []float64{950}, Duration: ms(330)}, {Hz: []float64{1400}, Duration: ms(330)}, {}}},
	} {
		if heard, _ := hear(de, signal{level: -15, snr: 30}.of(t, tn, 6*time.Second)); len(heard) > 0 {
			t.Errorf("%s was taken for %v", name, heard)
		}
	}
	ring := signal{level: -15, snr: 30}.of(t, de.Ringback, 12*time.Second)
	both := signal{level: -15, snr: 30, lead: ring}.of(t, de.Busy, 6*time.Second)
	if heard, _ := hear(de, both); fmt.Sprint(heard) != "[ringback busy]" {
		t.Errorf("ringback, then busy: %v", heard)
	}
}

func TestDetectorNoAllocations(t *testing.T) {
	c, _ := ByCountry("IN")
	d, g := NewDetector(c), New(c.Ringback, -15)
	var f media.Frame
	if n := testing.AllocsPerRun(500, func() { g.ReadFrame(&f); d.WriteFrame(&f) }); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

// BenchmarkToneDetector is the cost of a frame for the country with most
// frequencies, and of silence.
func BenchmarkToneDetector(b *testing.B) {
	c, _ := ByCountry("IN")
	for name, tn := range map[string]Tone{"tone": c.Dial, "silence": {Steps: []Step{{}}}} {
		b.Run(name, func(b *testing.B) {
			d, g := NewDetector(c), New(tn, -15)
			var f media.Frame
			g.ReadFrame(&f)
			b.ReportAllocs()
			for b.Loop() {
				d.WriteFrame(&f)
			}
		})
	}
}
