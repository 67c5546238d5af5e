package rtp

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"callbox/media"
	"callbox/media/codec"
	"callbox/media/speech"
)

// The voices that concealment is judged with, and what they say.
var voices = []struct{ voice, text string }{
	{"en", "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. It is easy to tell the depth of a well. These days a chicken leg is a rare dish."},
	{"en+f3", "Rice is often served in round bowls. The juice of lemons makes fine punch. The box was thrown beside the parked truck. The hogs were fed chopped corn and garbage."},
	{"de", "Zwei Männer und eine Frau gehen über die Brücke. Heute regnet es den ganzen Tag, morgen soll die Sonne scheinen. Der Zug nach Hamburg fährt um acht Uhr ab."},
	{"fr+f2", "Le soleil brille sur la mer. Les enfants jouent dans le jardin depuis ce matin. Veuillez patienter, un conseiller va prendre votre appel."},
}

var readOut struct {
	sync.Mutex
	said map[string][]int16
}

// say is a text as samples; each is spoken once for all tests.
func say(t testing.TB, voice, text string) []int16 {
	t.Helper()
	readOut.Lock()
	defer readOut.Unlock()
	if s, ok := readOut.said[voice+text]; ok {
		return s
	}
	clip, err := speech.New(speech.Config{}).Speak(t.Context(), text, voice, "")
	if err != nil {
		t.Fatalf("this test needs espeak-ng (apt-get install espeak-ng): %v", err)
	}
	defer clip.Close() //nolint:errcheck // a clip in memory
	s, err := media.ReadAll(clip, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if readOut.said == nil {
		readOut.said = map[string][]int16{}
	}
	readOut.said[voice+text] = s
	return s
}

// fft is the transform in place, of a power of two.
func fft(re, im []float64) {
	n := len(re)
	for i, j := 1, 0; i < n; i++ {
		bit := n >> 1
		for ; j&bit != 0; bit >>= 1 {
			j ^= bit
		}
		if j ^= bit; i < j {
			re[i], re[j] = re[j], re[i]
		}
	}
	for size := 2; size <= n; size *= 2 {
		for k := range size / 2 {
			sin, cos := math.Sincos(-2 * math.Pi * float64(k) / float64(size))
			for i := k; i < n; i += size {
				j := i + size/2
				r, m := re[j]*cos-im[j]*sin, re[j]*sin+im[j]*cos
				re[j], im[j] = re[i]-r, im[i]-m
				re[i], im[i] = re[i]+r, im[i]+m
			}
		}
	}
}

// distance is how much got differs from want to the ear where it differs at all,
// in percent of what want has there: the difference of the spectra, with loudness
// instead of power, for windows of 8 to 64 ms. The short ones see gaps and clicks,
// the long ones a voice that has lost its pitch.
func distance(want, got []int16) float64 {
	var sum float64
	windows := []int{64, 128, 256, 512}
	for _, n := range windows {
		sum += spectra(want, got, n)
	}
	return sum / float64(len(windows))
}

func spectra(want, got []int16, n int) float64 {
	var sum, all float64
	a, b := make([]float64, n/2), make([]float64, n/2)
	re, im := make([]float64, n), make([]float64, n)
	for at := 0; at+n <= min(len(want), len(got)); at += n / 4 {
		if slices.Equal(want[at:at+n], got[at:at+n]) {
			continue
		}
		loudness(a, want[at:at+n], re, im)
		loudness(b, got[at:at+n], re, im)
		for i := range a {
			sum += (a[i] - b[i]) * (a[i] - b[i])
			all += a[i] * a[i]
		}
	}
	return 100 * math.Sqrt(sum/all)
}

// loudness is the spectrum of a window, the root of a root of the power.
func loudness(out []float64, s []int16, re, im []float64) {
	n := float64(len(s))
	for i, v := range s {
		re[i], im[i] = float64(v)*(0.5-0.5*math.Cos(2*math.Pi*float64(i)/n)), 0
	}
	fft(re, im)
	for i := range out {
		out[i] = math.Sqrt(math.Sqrt((re[i]*re[i] + im[i]*im[i]) / n))
	}
}

// likeness is the ratio of want to the error of got in the frames that were lost,
// in dB, each from -10 to 30: silence has 0.
func likeness(want, got []int16, lost func(int) bool) float64 {
	var sum, n float64
	for k := 0; (k+1)*160 <= len(want); k++ {
		if w := want[k*160:][:160]; lost(k) && media.DBm0(w) > -40 {
			sum += max(min(snr(w, got[k*160:][:160]), 30), -10)
			n++
		}
	}
	return sum / n
}

// patch is a way to fill the frames that were lost.
type patch func(s []int16, lost func(frame int) bool) []int16

func withSilence(s []int16, lost func(int) bool) []int16 {
	out := slices.Clone(s)
	for at := 0; at+160 <= len(out); at += 160 {
		if lost(at / 160) {
			clear(out[at : at+160])
		}
	}
	return out
}

func withLast(s []int16, lost func(int) bool) []int16 {
	out := slices.Clone(s)
	for at := 160; at+160 <= len(out); at += 160 {
		if lost(at / 160) {
			copy(out[at:at+160], out[at-160:at])
		}
	}
	return out
}

func withConcealment(s []int16, lost func(int) bool) []int16 {
	out := slices.Clone(s)
	var p plc
	p.reset()
	for at := 0; at+160 <= len(out); at += 160 {
		if lost(at / 160) {
			p.conceal(out[at : at+160])
		} else {
			p.good(out[at : at+160])
		}
	}
	return out
}

// score is how good a patch is, over all voices: see distance and likeness.
type score struct{ distance, likeness float64 }

// scores judges silence, the last frame again, and concealment at a loss in percent, in so many
// rounds of random losses.
func scores(t testing.TB, percent, rounds int) (silence, last, concealed score) {
	n := float64(rounds * len(voices))
	for i, v := range voices {
		s := say(t, v.voice, v.text)
		for round := range rounds {
			r := rand.New(rand.NewPCG(uint64(i*rounds+round), uint64(percent)))
			gone := make([]bool, len(s)/160+1)
			for k := range gone {
				gone[k] = r.IntN(100) < percent
			}
			lost := func(k int) bool { return gone[k] }
			for _, x := range []struct {
				p   patch
				sum *score
			}{{withSilence, &silence}, {withLast, &last}, {withConcealment, &concealed}} {
				out := x.p(s, lost)
				x.sum.distance += distance(s, out) / n
				x.sum.likeness += likeness(s, out, lost) / n
			}
		}
	}
	return silence, last, concealed
}

// At 5 % random loss of 20 ms frames what is made up is nearer to what was said
// than silence, and than the last frame again, to the ear and in its waveform.
//
// It does not run beside others: some of them are about real time.
func TestConcealmentBeatsSilenceAndRepetition(t *testing.T) {
	for _, percent := range []int{5, 10} {
		silence, last, concealed := scores(t, percent, 2)
		t.Logf("%d %% lost: distance %.1f %% and likeness %.2f dB with silence, %.1f and %.2f with the last frame, %.1f and %.2f concealed", percent,
			silence.distance, silence.likeness, last.distance, last.likeness, concealed.distance, concealed.likeness)
		if concealed.distance > 0.8*silence.distance || concealed.distance > 0.88*last.distance || concealed.likeness < last.likeness+2 {
			t.Errorf("%d %% lost: concealment is not well better", percent)
		}
	}
}

// added gives by how many samples each frame of a play was later than it could
// have been: the delay that the buffer adds.
func added(p *path, sound []int16, ticks int, phase int64) []int64 {
	j := newJitterBuffer(codec.PCMU, new(lender[pcm]))
	first := p.queue[0]
	var out []int64
	p.play(j, sound, ticks, phase, func(tick int, _ bool) {
		if tick < 5 || !j.started {
			return
		}
		now := int64(tick)*media.FrameSamples + phase
		// j.next is the end of the frame that was given now; its last sample arrived
		// with a packet of its own.
		sent := j.next - timelineStart + int64(first.from)
		out = append(out, now-sent)
	})
	return out
}

func percentile(v []int64, share float64) int64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[int(share*float64(len(v)-1))]
}

// Without jitter the buffer adds at most 40 ms to 95 % of the frames, from the
// first one on, whatever the phase of the clock.
func TestAddedDelayWithoutJitter(t *testing.T) {
	t.Parallel()
	sound := noise(30*8000, 3)
	for phase := int64(0); phase < 160; phase += 23 {
		v := added(steady(sound, 160, func(int) int { return 0 }), sound, 1450, phase)
		p50, p95 := percentile(v, 0.5), percentile(v, 0.95)
		t.Logf("phase %d: median %d ms, 95 %% %d ms", phase, p50/8, p95/8)
		if p95 > 320 {
			t.Errorf("phase %d: 95 %% of the frames are up to %d ms late", phase, p95/8)
		}
	}
}

// A far end whose clock is 200 ppm off for ten minutes: no click, no growing
// delay, and hardly a frame made up.
func TestDriftWithoutClick(t *testing.T) {
	for _, ppm := range []int64{200, -200} {
		for name, sound := range map[string][]int16{"vowel": vowel(0, 600*8000, 117), "speech": slices.Repeat(say(t, voices[0].voice, voices[0].text), 70)[:600*8000]} {
			p := &path{}
			for i := range int64(len(sound) / 160) {
				p.send(arrival{at: (i+1)*160 - i*160*ppm/1_000_000 + 900, ts: uint32(i * 160), from: int(i * 160), n: 160})
			}
			j := newJitterBuffer(codec.PCMU, new(lender[pcm]))
			var top int64
			heard := p.play(j, sound, len(sound)/160-60, 0, func(tick int, _ bool) {
				if tick > 200 {
					top = max(top, j.level())
				}
			})
			click, natural := steepest(heard), steepest(sound)
			share := 100 * float64(j.concealed) / float64(len(heard))
			t.Logf("%+d ppm, %s: steepest step %d of %d, at most %d ms held, %.3f %% concealed", ppm, name, click, natural, top/8, share)
			if click > natural*5/4 {
				t.Errorf("%+d ppm, %s: a step of %d, the steepest in the sound is %d", ppm, name, click, natural)
			}
			if top > 60*8 || share > 0.2 || j.dropped > 0 || j.late > 0 {
				t.Errorf("%+d ppm, %s: %d ms held, %.3f %% concealed, %d dropped, %d late", ppm, name, top/8, share, j.dropped, j.late)
			}
		}
	}
}

// BenchmarkConcealmentQuality prints how far from the sound that was lost are
// silence, the last frame, and what is made up, at 5 % random loss: the distance
// to the ear in percent, and the ratio of sound to error in the lost frames.
func BenchmarkConcealmentQuality(b *testing.B) {
	var silence, last, concealed score
	for b.Loop() {
		silence, last, concealed = scores(b, 5, 6)
	}
	b.ReportMetric(silence.distance, "%silence")
	b.ReportMetric(last.distance, "%last")
	b.ReportMetric(concealed.distance, "%concealed")
	b.ReportMetric(last.likeness, "dB-last")
	b.ReportMetric(concealed.likeness, "dB-concealed")
}
