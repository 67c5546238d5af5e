package tone

import (
	"testing"
	"time"

	"callbox/media"
)

// fax gives when a fax machine is heard in s; −1: never.
func fax(s []int16) time.Duration {
	d := NewFaxDetector()
	var f media.Frame
	for i := 0; i+len(f) <= len(s); i += len(f) {
		copy(f[:], s[i:])
		if d.WriteFrame(&f) {
			return media.DurationOf(i + len(f))
		}
	}
	return -1
}

func TestFaxDetector(t *testing.T) {
	t.Parallel()
	once := func(hz float64, d time.Duration) Tone {
		return Tone{Steps: []Step{{Hz: []float64{hz}, Duration: d}, {}}}
	}
	rhythm := func(hz float64, on, off int) Tone { return pulsed(steady(hz), on, off) }
	for name, tt := range map[string]struct {
		tn     Tone
		detune float64
		from   time.Duration // when it must be told; 0: never
		to     time.Duration
	}{
		"answer tone":                 {AnswerTone, 0, 400 * time.Millisecond, 700 * time.Millisecond},
		"answer tone, 15 Hz high":     {AnswerTone, 7, 400 * time.Millisecond, 700 * time.Millisecond},
		"answer tone, 15 Hz low":      {AnswerTone, -7, 400 * time.Millisecond, 700 * time.Millisecond},
		"calling tone":                {CallingTone, 0, 4 * time.Second, 4300 * time.Millisecond},
		"calling tone, 38 Hz high":    {CallingTone, 34, 4 * time.Second, 4300 * time.Millisecond},
		"calling tone, 38 Hz low":     {CallingTone, -34, 4 * time.Second, 4300 * time.Millisecond},
		"calling tone, short":         {rhythm(1100, 430, 2600), 0, 3300 * time.Millisecond, 3800 * time.Millisecond},
		"calling tone, long":          {rhythm(1100, 570, 3400), 0, 4300 * time.Millisecond, 4900 * time.Millisecond},
		"one calling tone":            {once(1100, 500*time.Millisecond), 0, 0, 0},
		"a beep of 1,000 Hz":          {rhythm(1000, 500, 3000), 0, 0, 0},
		"too quick":                   {rhythm(1100, 500, 1000), 0, 0, 0},
		"too long":                    {rhythm(1100, 1000, 3000), 0, 0, 0},
		"2,225 Hz, another modem's":   {once(2225, 3*time.Second), 0, 0, 0},
		"a short whistle of 2,100 Hz": {once(2100, 300*time.Millisecond), 0, 0, 0},
	} {
		for _, lvl := range []float64{-10, -38} {
			at := fax(signal{level: lvl, snr: 18, detune: tt.detune}.of(t, tt.tn, 10*time.Second))
			if tt.to == 0 && at >= 0 || tt.to > 0 && (at < tt.from || at > tt.to) {
				t.Errorf("%s at %v dBm0: told after %v, want %v to %v", name, lvl, at, tt.from, tt.to)
			}
		}
	}
}

// No speech, music or tone of a network is a fax machine.
func TestNoFaxInSpeech(t *testing.T) {
	t.Parallel()
	if at := fax(talk(t, 10)); at >= 0 {
		t.Errorf("in speech after %v", at)
	}
	if at := fax(Music()); at >= 0 {
		t.Errorf("in music after %v", at)
	}
	for _, code := range Codes() {
		c, _ := ByCountry(code)
		for name, tn := range all(c) {
			if at := fax(play(t, tn, 8*time.Second)); at >= 0 {
				t.Errorf("%s: in the tone %s after %v", code, name, at)
			}
		}
	}
}

func TestFaxDetectorNoAllocations(t *testing.T) {
	d, g := NewFaxDetector(), New(AnswerTone, -15)
	var f media.Frame
	if n := testing.AllocsPerRun(500, func() { g.ReadFrame(&f); d.WriteFrame(&f) }); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

// BenchmarkFaxDetector is the cost of a frame of a call.
func BenchmarkFaxDetector(b *testing.B) {
	d, g := NewFaxDetector(), New(AnswerTone, -15)
	var f media.Frame
	g.ReadFrame(&f)
	b.ReportAllocs()
	for b.Loop() {
		d.WriteFrame(&f)
	}
}
