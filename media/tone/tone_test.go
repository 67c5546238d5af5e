package tone

import (
	"math"
	"slices"
	"testing"
	"time"

	"callbox/media"
)

// play gives the first d of a tone at −13 dBm0.
func play(t *testing.T, tn Tone, d time.Duration) []int16 {
	t.Helper()
	out, err := media.ReadAll(Clip(tn, DefaultLevel, d), d+time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// all lists a country's tones by name.
func all(c Country) map[string]Tone {
	return map[string]Tone{
		"dial": c.Dial, "stutter": c.Stutter, "ringback": c.Ringback, "busy": c.Busy,
		"congestion": c.Congestion, "call waiting": c.CallWaiting, "howler": c.Howler, "information": c.Information,
	}
}

// Each step of each tone of each country is measured back: its times, its
// frequencies and its level.
func TestEveryStepSoundsAsWritten(t *testing.T) {
	t.Parallel()
	for _, code := range Codes() {
		c, _ := ByCountry(code)
		for name, tn := range all(c) {
			t.Run(code+" "+name, func(t *testing.T) {
				t.Parallel()
				checkSteps(t, tn)
			})
		}
	}
}

func checkSteps(t *testing.T, tn Tone) {
	const endless = 2 * time.Second
	var total time.Duration
	for _, s := range tn.Steps {
		total += max(s.Duration, 0)
	}
	sound := play(t, tn, total+endless)
	at := 0
	for i, s := range tn.Steps {
		n := media.SamplesIn(s.Duration)
		if s.Duration == 0 {
			n = media.SamplesIn(endless)
		}
		part := sound[at : at+n]
		at += n
		if len(s.Hz) == 0 {
			if l := media.DBm0(part); l != media.SilenceLevel {
				t.Errorf("step %d, a pause, is at %.1f dBm0", i, l)
			}
			continue
		}
		want := DefaultLevel + s.Gain
		if l := media.DBm0(part); math.Abs(l-want) > 0.7 {
			t.Errorf("step %d is at %.2f dBm0, want %.2f", i, l, want)
		}
		each := want - 10*math.Log10(float64(len(s.Hz)))
		if s.AM > 0 { // the carrier's share of the power
			each -= 10 * math.Log10(1+modulationDepth*modulationDepth/2)
		}
		for _, hz := range s.Hz {
			if l := media.ToneLevel(part, hz); math.Abs(l-each) > 1.6 {
				t.Errorf("step %d has %v Hz at %.2f dBm0, want %.2f", i, hz, l, each)
			}
		}
	}
}

// The cadences of the sheet, in milliseconds, found by listening frame by frame.
func TestCadences(t *testing.T) {
	t.Parallel()
	type onOff []int
	tests := map[string]struct{ ringback, busy, congestion onOff }{
		"US": {onOff{2000, 4000}, onOff{500, 500}, onOff{250, 250}},
		"UK": {onOff{400, 200, 400, 2000}, onOff{375, 375}, onOff{400, 350, 225, 525}},
		"DE": {onOff{1000, 4000}, onOff{480, 480}, onOff{240, 240}},
		"FR": {onOff{1500, 3500}, onOff{500, 500}, onOff{250, 250}},
		"IN": {onOff{400, 200, 400, 2000}, onOff{750, 750}, onOff{250, 250}},
		"BR": {onOff{1000, 4000}, onOff{250, 250}, onOff{250, 250, 750, 250}},
		"AU": {onOff{400, 200, 400, 2000}, onOff{375, 375}, onOff{375, 375, 375, 375}},
		"ZA": {onOff{400, 200, 400, 2000}, onOff{500, 500}, onOff{250, 250}},
		"JP": {onOff{1000, 2000}, onOff{500, 500}, onOff{500, 500}},
	}
	for code, tt := range tests {
		c, ok := ByCountry(code)
		if !ok {
			t.Errorf("%s is not known", code)
			continue
		}
		for name, x := range map[string]struct {
			tn   Tone
			want onOff
		}{"ringback": {c.Ringback, tt.ringback}, "busy": {c.Busy, tt.busy}, "congestion": {c.Congestion, tt.congestion}} {
			want := slices.Concat(x.want, x.want) // two rounds
			got := listen(play(t, x.tn, 15*time.Second), len(want))
			if !slices.Equal(got, want) {
				t.Errorf("%s %s: %v, want %v", code, name, got, want)
			}
		}
		if len(c.Ring.OnOff)%2 != 0 || c.Ring.Hz < 15 || c.Ring.Hz > 68 {
			t.Errorf("%s: ring %+v", code, c.Ring)
		}
	}
}

// listen gives the lengths of sound and silence in turn, at most n, in whole ms.
func listen(sound []int16, n int) []int {
	const millisecond = media.SampleRate / 1000
	const hold = 6 // ms: shorter dips belong to a beat or a slow modulation
	var out []int
	on, length, quiet := true, 0, 0
	for i := 0; i+millisecond <= len(sound) && len(out) < n; i += millisecond {
		loud := slices.ContainsFunc(sound[i:i+millisecond], func(v int16) bool { return v != 0 })
		length++
		if loud == on {
			quiet = 0
			continue
		}
		if quiet++; quiet < hold && on {
			continue
		}
		out = append(out, length-quiet)
		on, length, quiet = loud, quiet, 0
	}
	return out
}

func TestByCountry(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"us", "US", "uk", "GB", "gb", DefaultCountry} {
		if _, ok := ByCountry(code); !ok {
			t.Errorf("%s is not known", code)
		}
	}
	for _, code := range []string{"", "XX", "USA"} {
		if c, ok := ByCountry(code); ok {
			t.Errorf("%q is %s", code, c.Name)
		}
	}
	codes := Codes()
	if len(codes) < 165 || !slices.IsSorted(codes) || len(slices.Compact(slices.Clone(codes))) != len(codes) {
		t.Errorf("%d codes: %v", len(codes), codes)
	}
	for _, code := range []string{"AU", "BR", "DE", "FR", "GB", "IN", "JP", "US", "ZA", "AT", "CN", "ES", "HK", "IT", "NZ", "RU", "SE", "ZW"} {
		if !slices.Contains(codes, code) {
			t.Errorf("%s is not listed", code)
		}
	}
}

func TestPeriod(t *testing.T) {
	t.Parallel()
	us, _ := ByCountry("US")
	for _, tt := range []struct {
		tn   Tone
		want time.Duration
	}{{us.Ringback, 6 * time.Second}, {us.Dial, 0}, {us.Stutter, 0}, {Tone{}, 0}, {Tone{Steps: us.Busy.Steps, From: 9}, 0}} {
		if got := tt.tn.Period(); got != tt.want {
			t.Errorf("period %v, want %v", got, tt.want)
		}
	}
}

func TestStutterEndsInDialTone(t *testing.T) {
	t.Parallel()
	us, _ := ByCountry("US")
	sound := play(t, us.Stutter, 6*time.Second)
	if l := media.DBm0(sound[media.SamplesIn(2*time.Second):]); math.Abs(l-DefaultLevel) > 0.1 {
		t.Errorf("after two seconds it is at %.1f dBm0", l)
	}
}

func TestOddTones(t *testing.T) {
	t.Parallel()
	var f media.Frame
	if New(Tone{}, DefaultLevel).ReadFrame(&f) {
		t.Error("a tone without steps sounds")
	}
	if (Tone{}).IsZero() != true {
		t.Error("a tone without steps is something")
	}
	short := Tone{Steps: []Step{{Hz: []float64{400}, Duration: time.Nanosecond}, {Duration: time.Nanosecond}}, From: -3}
	g := New(short, DefaultLevel)
	for range 10 {
		if !g.ReadFrame(&f) {
			t.Fatal("it ended")
		}
	}
	loud := New(Tone{Steps: []Step{{Hz: []float64{400, 500, 600, 700, 800}}}}, 20)
	if !loud.ReadFrame(&f) || slices.Max(f[:]) != 32767 {
		t.Error("too loud a tone is not clipped")
	}
}

func TestRewindStartsAgain(t *testing.T) {
	t.Parallel()
	gb, _ := ByCountry("GB")
	g := New(gb.Ringback, DefaultLevel)
	var first, later, again media.Frame
	g.ReadFrame(&first)
	for range 77 {
		g.ReadFrame(&later)
	}
	g.Rewind()
	g.ReadFrame(&again)
	if first != again {
		t.Error("the first frame differs after Rewind")
	}
}

func TestBeep(t *testing.T) {
	t.Parallel()
	got, err := media.ReadAll(Beep(), time.Second)
	if err != nil || len(got) != 20*media.FrameSamples {
		t.Fatalf("%d samples, %v", len(got), err)
	}
	if l := media.ToneLevel(got, 1400); math.Abs(l-DefaultLevel) > 0.1 {
		t.Errorf("1,400 Hz at %.1f dBm0", l)
	}
}

func TestGeneratorDoesNotAllocate(t *testing.T) {
	for _, code := range Codes() {
		c, _ := ByCountry(code)
		g := New(c.Congestion, DefaultLevel)
		var f media.Frame
		if n := testing.AllocsPerRun(200, func() { g.ReadFrame(&f) }); n != 0 {
			t.Fatalf("%s: %v allocations per frame", code, n)
		}
	}
}

func BenchmarkGenerator(b *testing.B) {
	c, _ := ByCountry("us")
	g := New(c.Ringback, DefaultLevel)
	var f media.Frame
	b.ReportAllocs()
	for b.Loop() {
		if !g.ReadFrame(&f) {
			b.Fatal("the tone ends")
		}
	}
}
