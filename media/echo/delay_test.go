package echo

import (
	"math"
	"testing"
	"time"

	"callbox/media"
)

// find gives the first sure delay of near behind far, and when it was sure.
func find(t *testing.T, far, near []float64) (delay int, after time.Duration, ok bool) {
	t.Helper()
	d, err := NewDelayFinder(MaxDelay)
	if err != nil {
		t.Fatal(err)
	}
	var a, b media.Frame
	for at := 0; at+len(a) <= min(len(far), len(near)); at += len(a) {
		for i := range a {
			a[i], b[i] = media.Clamp(int32(far[at+i])), media.Clamp(int32(near[at+i]))
		}
		if n, sure := d.Process(&a, &b); sure {
			return n, time.Duration(at) * time.Second / media.SampleRate, true
		}
	}
	return 0, 0, false
}

// late puts n samples of silence before s.
func late(s []float64, n int) []float64 { return append(make([]float64, n), s...) }

// The delay of every hybrid is found within seconds of speech, whatever it is, and lies
// where a tail of 32 ms takes the whole echo in.
func TestDelayFound(t *testing.T) {
	far := speak(t, "en", "Good morning, this is the office of the harbour master. We are open from nine to five, and the pilot station answers at all hours of the day and of the night.", 8*time.Second, -15)
	for _, h := range hybrids() {
		for _, loss := range []float64{6, 14, 24} {
			for _, ms := range []int{0, 23, 60, 117, 350} {
				n := ms * media.SampleRate / 1000
				near := add(late(h.loss(loss).echo(far), n), noise(5, 9*time.Second, -65))
				got, after, ok := find(t, far, near)
				if !ok || got < n-8 || got > n+25*8 || after > 5*time.Second {
					t.Errorf("%s, loss %.0f dB, %d ms: found %.1f ms (%v) after %v", h.name, loss, ms, float64(got)/8, ok, after)
				}
			}
		}
	}
}

// Sounds that are no echo have no delay: a near party alone, a tone, both parties.
func TestNoDelay(t *testing.T) {
	far := speak(t, "en", "Good morning, this is the office of the harbour master. We are open from nine to five.", 6*time.Second, -15)
	other := speak(t, "de", "Guten Tag, hier spricht das Telefon am anderen Ende der Leitung. Bitte warten Sie einen Augenblick.", 6*time.Second, -18)
	tone := make([]float64, 6*media.SampleRate)
	for i := range tone {
		tone[i] = 6000 * math.Sin(2*math.Pi*425*float64(i)/media.SampleRate)
	}
	silence := make([]float64, 6*media.SampleRate)
	for name, s := range map[string][2][]float64{
		"nobody": {silence, silence}, "no echo": {far, noise(3, 6*time.Second, -60)}, "near alone": {silence, other}, "two parties": {far, other},
		"a tone and its echo": {tone, late(tone, 800)}, "a tone and a voice": {tone, other}, "a voice and a tone": {far, tone},
	} {
		if d, after, ok := find(t, s[0], s[1]); ok {
			t.Errorf("%s: a delay of %.1f ms after %v", name, float64(d)/8, after)
		}
	}
	if _, err := NewDelayFinder(time.Second); err == nil {
		t.Error("a second is accepted")
	}
}

// A near party who talks over the echo now and then does not hide it.
func TestDelayInDoubleTalk(t *testing.T) {
	far := speak(t, "en", "Good morning, this is the office of the harbour master. We are open from nine to five, and the pilot station answers at all hours.", 8*time.Second, -15)
	other := speak(t, "de", "Guten Tag.", 2*time.Second, -25)
	near := add(late(hybrids()[1].loss(12).echo(far), 640), late(other, 4*media.SampleRate))
	if got, _, ok := find(t, far, near); !ok || got < 632 || got > 840 {
		t.Errorf("found %d (%v), want 640", got, ok)
	}
}

func TestDelayFinderDoesNotAllocate(t *testing.T) {
	d, err := NewDelayFinder(MaxDelay)
	if err != nil {
		t.Fatal(err)
	}
	var f media.Frame
	for i := range f {
		f[i] = int16(i * 37 % 9000)
	}
	if n := testing.AllocsPerRun(100, func() { d.Process(&f, &f) }); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}
