//go:build e2e

package e2e

import (
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const rate = 8000 // Hz, of every sound here

// speak makes a sentence with espeak-ng: 8 kHz mono samples.
func speak(t *testing.T, text string, args ...string) []int16 {
	t.Helper()
	dir := t.TempDir()
	raw, wav := filepath.Join(dir, "raw.wav"), filepath.Join(dir, "8k.wav")
	command(t, "espeak-ng", append(args, "-w", raw, "--", text)...)
	command(t, "sox", raw, "-r", "8000", "-c", "1", "-b", "16", wav)
	s, _ := readWAV(t, wav)
	return s
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// readWAV reads a 16-bit PCM file whatever its chunks: its samples, interleaved,
// and its channels.
func readWAV(t *testing.T, path string) ([]int16, int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, ch, ok := parseWAV(b)
	if !ok {
		t.Fatalf("%s is not a 16-bit WAV file (%d bytes)", path, len(b))
	}
	return s, ch
}

// parseWAV is independent of the product's own reader on purpose.
func parseWAV(b []byte) (samples []int16, channels int, ok bool) {
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return nil, 0, false
	}
	for p := 12; p+8 <= len(b); {
		id, n := string(b[p:p+4]), int(binary.LittleEndian.Uint32(b[p+4:]))
		body := b[p+8:]
		n = min(n, len(body))
		switch id {
		case "fmt ":
			if n < 16 || binary.LittleEndian.Uint16(body[14:]) != 16 {
				return nil, 0, false
			}
			channels = int(binary.LittleEndian.Uint16(body[2:]))
		case "data":
			for i := 0; i+1 < n; i += 2 {
				samples = append(samples, int16(binary.LittleEndian.Uint16(body[i:])))
			}
			return samples, channels, channels > 0
		}
		p += 8 + n + n&1
	}
	return nil, 0, false
}

// writeWAV writes 8 kHz mono samples.
func writeWAV(t *testing.T, path string, s []int16) {
	t.Helper()
	if err := os.WriteFile(path, wavBytes(s), 0o600); err != nil {
		t.Fatal(err)
	}
}

func wavBytes(s []int16) []byte {
	b := make([]byte, 44+2*len(s))
	copy(b, "RIFF")
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	copy(b[8:], "WAVEfmt ")
	binary.LittleEndian.PutUint32(b[16:], 16)
	binary.LittleEndian.PutUint16(b[20:], 1)
	binary.LittleEndian.PutUint16(b[22:], 1)
	binary.LittleEndian.PutUint32(b[24:], rate)
	binary.LittleEndian.PutUint32(b[28:], 2*rate)
	binary.LittleEndian.PutUint16(b[32:], 2)
	binary.LittleEndian.PutUint16(b[34:], 16)
	copy(b[36:], "data")
	binary.LittleEndian.PutUint32(b[40:], uint32(2*len(s)))
	for i, v := range s {
		binary.LittleEndian.PutUint16(b[44+2*i:], uint16(v))
	}
	return b
}

// channel picks one channel of interleaved samples.
func channel(s []int16, n, of int) []int16 {
	out := make([]int16, 0, len(s)/of)
	for i := n; i < len(s); i += of {
		out = append(out, s[i])
	}
	return out
}

// similarity looks for want inside got and gives how alike the best place is.
// want is cut in windows of 250 ms; each is searched around where its neighbour
// was found, so that a lost or repeated packet, or a jitter buffer that changes
// its delay, moves what follows without spoiling the whole; a window that is
// found nowhere moves nothing. 1 is identical, unrelated speech stays below 0.4.
func similarity(got, want []int16) float64 {
	const window, search = rate / 4, rate * 15 / 100
	want = trim(want)
	if len(got) < window || len(want) < window {
		return 0
	}
	offset := bestOffset(got, want[:min(len(want), 4*window)], 0, len(got)-window)
	var sum, weight float64
	for p := 0; p+window <= len(want); p += window {
		w := want[p : p+window]
		e := energy(w)
		if e < window*100*100 { // a pause says nothing
			continue
		}
		at := offset + p
		o := bestOffset(got, w, at-search, at+search)
		c := correlation(got, w, o)
		if c > 0.7 {
			offset += o - at
		}
		sum += c * math.Sqrt(e)
		weight += math.Sqrt(e)
	}
	if weight == 0 {
		return 0
	}
	return sum / weight
}

// bestOffset is the place in got, from…to, where w fits best.
func bestOffset(got, w []int16, from, to int) int {
	best, at := -2.0, max(from, 0)
	for o := max(from, 0); o <= to && o+len(w)/2 < len(got); o++ {
		if c := correlation(got, w, o); c > best {
			best, at = c, o
		}
	}
	return at
}

// correlation is the normalised cross-correlation of w with got at offset o.
func correlation(got, w []int16, o int) float64 {
	if o < 0 || o >= len(got) {
		return 0
	}
	g := got[o:min(o+len(w), len(got))]
	var xy, xx, yy float64
	for i := range g {
		x, y := float64(g[i]), float64(w[i])
		xy += x * y
		xx += x * x
		yy += y * y
	}
	if xx == 0 || yy == 0 {
		return 0
	}
	return xy / math.Sqrt(xx*yy)
}

func energy(s []int16) (e float64) {
	for _, v := range s {
		e += float64(v) * float64(v)
	}
	return e
}

// trim cuts what is nearly silent at both ends.
func trim(s []int16) []int16 {
	const quiet = 200
	a, b := 0, len(s)
	for a < b && s[a] < quiet && s[a] > -quiet {
		a++
	}
	for b > a && s[b-1] < quiet && s[b-1] > -quiet {
		b--
	}
	return s[a:b]
}

// hears fails unless want is in got.
func hears(t *testing.T, who string, got, want []int16) {
	t.Helper()
	c := similarity(got, want)
	t.Logf("%s: similarity %.3f over %.1f s", who, c, float64(len(want))/rate)
	if c < 0.9 {
		t.Errorf("%s does not hear what was said: similarity %.3f, want at least 0.9", who, c)
	}
}

// TestSimilarity holds the judge itself to account.
func TestSimilarity(t *testing.T) {
	a := speak(t, "the quick brown fox jumps over the lazy dog")
	b := speak(t, "seven hundred red apples were rolling down the hill")
	if c := similarity(append(make([]int16, 5000), a...), a); c < 0.99 {
		t.Errorf("the same sentence later: %.3f", c)
	}
	if c := similarity(b, a); c > 0.5 {
		t.Errorf("another sentence: %.3f", c)
	}
	if c := similarity(make([]int16, len(a)), a); c > 0.1 {
		t.Errorf("silence: %.3f", c)
	}
	lost := append(append([]int16{}, a[:9600]...), a[9760:]...)
	if c := similarity(lost, a); c < 0.9 {
		t.Errorf("one packet lost: %.3f", c)
	}
	var moved []int16 // the delay changes by 10 ms, seven times a second
	for i := 0; i+rate/7 < len(a); i += rate / 7 {
		moved = append(append(moved, a[i:i+rate/7]...), a[i+rate/7-rate/100:i+rate/7]...)
	}
	if c := similarity(moved, a); c < 0.75 {
		t.Errorf("a restless jitter buffer: %.3f", c)
	}
	if c := similarity(append(append([]int16{}, a[:rate]...), b[rate:]...), a); c > 0.75 {
		t.Errorf("another sentence after the first second: %.3f", c)
	}
}
