package speech

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"callbox/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// real gives a speaker with the real program, which make test installs.
func real(t *testing.T, c Config) *Speaker {
	t.Helper()
	s := New(patient(c))
	if err := s.Available(); err != nil {
		t.Fatalf("this test needs espeak-ng (apt-get install espeak-ng): %v", err)
	}
	return s
}

// fake gives a speaker whose program is a shell script.
func fake(t *testing.T, script string, c Config) *Speaker {
	t.Helper()
	c.Path = filepath.Join(t.TempDir(), "engine")
	// No fork while the file is open for writing: a child that inherits it would
	// make running the script fail with "text file busy".
	syscall.ForkLock.RLock()
	err := os.WriteFile(c.Path, []byte("#!/bin/sh\n"+script), 0o700)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	return New(patient(c))
}

// patient gives a program more time than a busy machine takes, where a test is not about
// its time.
func patient(c Config) Config {
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Minute
	}
	return c
}

// header is the beginning of a WAV as espeak-ng writes it, for printf.
const header = `printf 'RIFF\044\360\377\177WAVEfmt \020\000\000\000\001\000\001\000\042\126\000\000\104\254\000\000\002\000\020\000data\000\360\377\177'` + "\n"

func TestSpeaks(t *testing.T) {
	t.Parallel()
	s := real(t, Config{})
	short, err := s.Speak(t.Context(), "One.", "man", "en-US")
	if err != nil {
		t.Fatal(err)
	}
	long, err := s.Speak(t.Context(), "Please hold the line, somebody will be with you shortly.", "Polly.Amy", "")
	if err != nil {
		t.Fatal(err)
	}
	if d := short.Duration(); d < 150*time.Millisecond || d > 1500*time.Millisecond {
		t.Errorf("a word lasts %v", d)
	}
	if d := long.Duration(); d < 2*time.Second || d > 7*time.Second {
		t.Errorf("a sentence lasts %v", d)
	}
	sound, err := media.ReadAll(long, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if l := media.DBm0(sound); l < -25 || l > -8 {
		t.Errorf("a sentence is at %.1f dBm0", l)
	}
}

func TestSpeaksSSML(t *testing.T) {
	t.Parallel()
	s := real(t, Config{})
	duration := func(text string) time.Duration {
		clip, err := s.Speak(t.Context(), text, "", "")
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return clip.Duration()
	}
	plain := duration(`<speak>one two</speak>`)
	if d := duration(`<speak>one <break time="1500ms"/> two</speak>`) - plain; d < 1200*time.Millisecond || d > 2500*time.Millisecond {
		t.Errorf("a break of 1.5 s adds %v", d)
	}
	if d := duration(`<speak><prosody rate="50%">one two</prosody></speak>`); d < plain*5/4 {
		t.Errorf("half the rate: %v instead of %v", d, plain)
	}
	number, digits := duration("<speak>7777</speak>"), duration(`<speak><say-as interpret-as="digits">7777</say-as></speak>`)
	if d := number - digits; d < 300*time.Millisecond { // "seven thousand seven hundred and seventy seven"
		t.Errorf("as a number %v, as digits %v", number, digits)
	}
	spelled := duration(`<speak><say-as interpret-as="characters">hello</say-as></speak>`)
	if d := duration(`<speak>hello</speak>`); spelled < d*3/2 {
		t.Errorf("spelled %v, said %v", spelled, d)
	}
}

// TestSpeaksAtAPitch: a voice is as much higher or lower as was asked for.
func TestSpeaksAtAPitch(t *testing.T) {
	t.Parallel()
	s := real(t, Config{})
	for _, voice := range []string{"man", "woman"} {
		voiced := func(pitch string) float64 {
			clip, err := s.Speak(t.Context(), `<speak><prosody pitch="`+pitch+`">We were away a year ago, and nobody knew the way home.</prosody></speak>`, voice, "en-US")
			if err != nil {
				t.Fatalf("pitch %s: %v", pitch, err)
			}
			sound, err := media.ReadAll(clip, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			return fundamental(sound)
		}
		own := voiced("medium")
		if own < 80 || own > 250 {
			t.Errorf("a %s speaks at %.0f Hz", voice, own)
		}
		for pitch, want := range map[string]float64{"x-low": 0.75, "low": 0.8, "high": 1.25, "x-high": 1.5, "-20%": 0.8, "+20%": 1.2, "+4st": 1.26, "-2st": 0.89} {
			if got := voiced(pitch) / own; math.Abs(got/want-1) > 0.08 {
				t.Errorf("a %s at the pitch %s speaks at %.2f times its own, want %.2f", voice, pitch, got, want)
			}
		}
		if high, low := voiced("high"), voiced("low"); high < 1.2*low {
			t.Errorf("a %s speaks at %.0f Hz high and %.0f Hz low", voice, high, low)
		}
	}
}

// fundamental is the median pitch of a voice in Hz, from 50 to 500: in each 40 ms the
// lag at which the sound is most like itself, where that is clear.
func fundamental(s []int16) float64 {
	const window, shortest, longest = media.SampleRate / 25, media.SampleRate / 500, media.SampleRate / 50
	var found []float64
	for ; len(s) >= window+longest; s = s[window/2:] {
		likeness := func(lag int) float64 {
			var xy, xx, yy float64
			for i := range window {
				x, y := float64(s[i]), float64(s[i+lag])
				xy, xx, yy = xy+x*y, xx+x*x, yy+y*y
			}
			return xy / math.Sqrt(xx*yy+1)
		}
		best := 0.0
		for lag := shortest; lag <= longest; lag++ {
			best = max(best, likeness(lag))
		}
		if best < 0.8 || media.DBm0(s[:window]) < -40 {
			continue
		}
		// Twice the period is as like: the first peak that is nearly the best counts.
		for lag := shortest + 1; lag < longest; lag++ {
			if l := likeness(lag); l >= 0.9*best && l >= likeness(lag-1) && l >= likeness(lag+1) {
				found = append(found, media.SampleRate/float64(lag))
				break
			}
		}
	}
	if len(found) == 0 {
		return 0
	}
	slices.Sort(found)
	return found[len(found)/2]
}

// TestFundamental holds the judge itself to account.
func TestFundamental(t *testing.T) {
	t.Parallel()
	for _, hz := range []float64{80, 125, 220, 330} {
		s := make([]int16, media.SampleRate)
		for i := range s {
			for k := 1.0; k <= 6; k++ {
				s[i] += int16(2000 * math.Sin(2*math.Pi*k*hz*float64(i)/media.SampleRate))
			}
		}
		if got := fundamental(s); math.Abs(got/hz-1) > 0.03 {
			t.Errorf("a sound of %.0f Hz is taken for %.1f Hz", hz, got)
		}
	}
	if got := fundamental(make([]int16, media.SampleRate)); got != 0 {
		t.Errorf("silence is taken for %.1f Hz", got)
	}
}

// Every voice that Resolve can give is one that the program has.
func TestProgramHasAllVoices(t *testing.T) {
	t.Parallel()
	s := real(t, Config{CacheBytes: -1})
	tried := map[string]bool{}
	try := func(voice, language string) {
		v, known := Resolve(voice, language)
		if !known {
			t.Errorf("%q in %q is not known", voice, language)
		}
		if tried[v] {
			return
		}
		tried[v] = true
		if _, err := s.Speak(t.Context(), "1", voice, language); err != nil {
			t.Errorf("%q in %q: %v", voice, language, err)
		}
	}
	for _, l := range strings.Fields(languages) {
		try("", l)
	}
	for l := range regions {
		try("", l)
	}
	for _, v := range []string{"man", "woman", "alice"} {
		try(v, "")
	}
	for _, row := range polly {
		for _, name := range strings.Fields(row.women + " " + row.men) {
			try("Polly."+name, "")
		}
	}
}

func TestTextIsNeverAnOptionOrAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target := filepath.Join(dir, "out.wav")
	s := real(t, Config{})
	for _, text := range []string{
		"-w " + target,
		"--path=/nowhere",
		"-f /etc/hostname",
		"$(touch " + target + ") `touch " + target + "` ; touch " + target,
		`<speak>a<audio src="x; touch ` + target + `">b</audio></speak>`,
	} {
		if _, err := s.Speak(t.Context(), text, "", ""); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 0 {
		t.Errorf("something was written: %v %v", names, err)
	}
}

// What the child gets: its arguments, its input and its environment.
func TestChildSeesOnlyWhatItNeeds(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "seen")
	s := fake(t, `{ echo "args $*"; echo "env $(env | grep -v -e ^_= -e ^PWD= | cut -d= -f1 | sort | tr '\n' ' ')"; echo "dir $(pwd)"; cat; } > `+out+"\n"+header+`printf '\001\000\001\000'`, Config{})
	if _, err := s.Speak(t.Context(), `<speak>Hi <b>-w</b> there</speak>`, "man", "de"); err != nil {
		t.Fatal(err)
	}
	seen, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"args --stdin --stdout -b 1 -z -v de+m3 -m\n", "dir /\n", "<speak>Hi -w there</speak>\n"} {
		if !strings.Contains(string(seen), want) {
			t.Errorf("the child saw %q, want %q in it", seen, want)
		}
	}
	for _, line := range strings.Split(string(seen), "\n") {
		names, ok := strings.CutPrefix(line, "env ")
		for _, name := range strings.Fields(names) {
			if ok && name != "PATH" && name != "LC_ALL" && name != "ESPEAK_DATA_PATH" {
				t.Errorf("the child has %s in its environment", name)
			}
		}
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		script string
		want   error
		text   string
	}{
		"complains":      {"echo 'Error: no such voice.' >&2; exit 1", nil, "no such voice"},
		"says nothing":   {"exit 0", ErrText, "nothing in it makes a sound"},
		"only a header":  {header, ErrText, "nothing in it makes a sound"},
		"no WAV":         {"yes hello world | head -c 1000", errSound, "no 16-bit mono WAV"},
		"never stops":    {header + "yes", media.ErrTooLong, "longer"},
		"dies in speech": {header + "yes | head -c 9999; kill -9 $$", nil, "signal: killed"},
	}
	for name, tt := range tests {
		s := fake(t, tt.script, Config{})
		_, err := s.Speak(t.Context(), "hello", "", "")
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v", name, err)
		}
		if n := s.Stats().Entries; n != 0 {
			t.Errorf("%s: %d entries in the cache", name, n)
		}
	}
}

func TestNotInstalled(t *testing.T) {
	t.Parallel()
	s := New(Config{Path: "/nowhere/espeak-ng"})
	if err := s.Available(); !errors.Is(err, ErrNotInstalled) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Available: %v", err)
	}
	if _, err := s.Speak(t.Context(), "hello", "", ""); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("Speak: %v", err)
	}
}

func TestContextKillsTheChild(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pid := filepath.Join(dir, "pid")
	// The script's own child keeps the pipe open: Speak must end nevertheless.
	s := fake(t, "echo $$ > "+pid+".new; mv "+pid+".new "+pid+"\nsleep 20", Config{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := s.Speak(ctx, "hello", "", "")
		done <- err
	}()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for range poll.C {
		if _, err := os.Stat(pid); err == nil {
			break
		}
	}
	began := time.Now()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Speak: %v", err)
	}
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("it took %v to end", d)
	}
	b, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if _, err := fmt.Sscan(string(b), &n); err != nil || syscall.Kill(n, 0) == nil {
		t.Errorf("process %q still lives: %v", b, err)
	}
}

func TestTimeoutCountsTheWaiting(t *testing.T) {
	t.Parallel()
	s := fake(t, "exec sleep 20", Config{Timeout: 200 * time.Millisecond, Parallel: 1})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			if _, err := s.Speak(t.Context(), fmt.Sprint("text ", i), "", ""); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("text %d: %v", i, err)
			}
		})
	}
	wg.Wait()
}

func TestSameTextIsSpokenOnce(t *testing.T) {
	t.Parallel()
	count := filepath.Join(t.TempDir(), "count")
	s := fake(t, "echo >> "+count+"\n"+header+"yes | head -c 40000", Config{Parallel: 1})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := s.Speak(t.Context(), "hello", "man", "en"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if b, err := os.ReadFile(count); err != nil || len(b) != 1 {
		t.Errorf("the program ran %d times: %v", len(b), err)
	}
	for _, other := range [][3]string{{"hello", "woman", "en"}, {"hello", "man", "de"}, {"hallo", "man", "en"}, {"<speak>hello</speak>", "man", "en"}} {
		if _, err := s.Speak(t.Context(), other[0], other[1], other[2]); err != nil {
			t.Error(err)
		}
	}
	if b, err := os.ReadFile(count); err != nil || len(b) != 5 {
		t.Errorf("the program ran %d times for five: %v", len(b), err)
	}
}
