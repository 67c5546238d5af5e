package vendor_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"callbox/api/vendor"
	"callbox/call"
	"callbox/call/script"
	"callbox/media"

	"github.com/coder/websocket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service is a speech vendor that the test plays.
type service struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string // bodies of texts, with the header that proves who asks
	reply func(w http.ResponseWriter)
	hear  func(ctx context.Context, c *websocket.Conn)
}

func newService(t *testing.T) *service {
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer k1" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.Path == "/stt" {
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			defer c.CloseNow() //nolint:errcheck // a test's
			s.mu.Lock()
			hear := s.hear
			s.mu.Unlock()
			hear(r.Context(), c)
			return
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		s.asked = append(s.asked, string(b))
		reply := s.reply
		s.mu.Unlock()
		reply(w)
	}))
	t.Cleanup(s.Close)
	return s
}

// hears lets the service listen so from now on.
func (s *service) hears(f func(ctx context.Context, c *websocket.Conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hear = f
}

func (s *service) set(t *testing.T, key string) *vendor.Set {
	v := vendor.New(vendor.Config{Transport: &http.Transport{DisableKeepAlives: true}, UserAgent: "callbox/test", CacheBytes: 100_000})
	v.Use([]vendor.Vendor{{Name: "Vosk", Speaks: s.URL + "/tts", Hears: "ws" + strings.TrimPrefix(s.URL, "http") + "/stt", Key: key},
		{Name: "deaf", Speaks: s.URL + "/tts", Key: key}})
	t.Cleanup(v.Close)
	return v
}

// l16 answers with bare samples.
func l16(rate int, samples ...int16) func(w http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", fmt.Sprintf("audio/l16;rate=%d", rate))
		_ = binary.Write(w, binary.LittleEndian, samples)
	}
}

func samples(t *testing.T, c media.Clip) (out []int16) {
	t.Helper()
	var f media.Frame
	for c.ReadFrame(&f) {
		out = append(out, f[:]...)
	}
	return out
}

func TestSpeak(t *testing.T) {
	s := newService(t)
	v := s.set(t, "k1")
	s.reply = l16(8000, 100, 200, 300)
	for _, x := range []script.Speech{{Text: "Hello", Vendor: "vosk", Voice: "anna", Language: "de-DE"}, {Text: "<speak>Hi</speak>", Vendor: "custom:VOSK"}} {
		for range 2 { // the second time out of memory
			c, err := v.Speak(t.Context(), x)
			if err != nil {
				t.Fatal(err)
			}
			if got := samples(t, c); len(got) != 160 || got[0] != 100 || got[2] != 300 || got[3] != 0 {
				t.Errorf("%v", got)
			}
		}
	}
	want := []string{`{"language":"de-DE","voice":"anna","type":"text","text":"Hello"}`, `{"language":"en-US","type":"ssml","text":"\u003cspeak\u003eHi\u003c/speak\u003e"}`}
	if fmt.Sprint(s.asked) != fmt.Sprint(want) {
		t.Errorf("asked %q", s.asked)
	}
	if st := v.Stats(); st.Spoken != 2 || st.Cache.Hits != 2 || st.Cache.Misses != 2 || st.Cache.Entries != 2 {
		t.Errorf("%+v", st)
	}
	s.reply = l16(16000, make([]int16, 16000)...)
	c, err := v.Speak(t.Context(), script.Speech{Text: "a second", Vendor: "vosk"})
	if err != nil || len(samples(t, c)) != 8000 {
		t.Errorf("16 kHz: %v", err)
	}
	// The cache is bounded, and keeps nothing that is too large.
	for i := range 30 {
		if _, err := v.Speak(t.Context(), script.Speech{Text: fmt.Sprint(i), Vendor: "vosk"}); err != nil {
			t.Fatal(err)
		}
	}
	s.reply = l16(8000, make([]int16, 80_000)...)
	if _, err := v.Speak(t.Context(), script.Speech{Text: "long", Vendor: "vosk"}); err != nil {
		t.Fatal(err)
	}
	if st := v.Stats().Cache; st.Bytes > 100_000 || st.Evicted == 0 || st.Entries > 6 {
		t.Errorf("%+v", st)
	}
}

// TestSpeakKinds: the sounds that vendors answer with.
func TestSpeakKinds(t *testing.T) {
	s := newService(t)
	v := s.set(t, "k1")
	file := func(kind, path string) func(w http.ResponseWriter) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return func(w http.ResponseWriter) { w.Header().Set("Content-Type", kind); _, _ = w.Write(b) }
	}
	text := func(kind, body string) func(w http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.Header().Set("Content-Type", kind); _, _ = io.WriteString(w, body) }
	}
	for name, tc := range map[string]struct {
		reply func(w http.ResponseWriter)
		err   string
	}{
		"wav":    {file("audio/x-wav", "../../media/mp3/testdata/music.wav"), ""},
		"mp3":    {file("audio/mpeg", "../../media/mp3/testdata/music.mp3"), ""},
		"no mp3": {text("audio/mpeg", "no sound"), "not an MP3"},
		"no wav": {text("audio/wav", "no sound"), "not a WAV"},
		"html":   {text("text/html", "<p>"), "the answer is text/html, it must be audio/wav"},
		"untold": {text("?;", ""), "cannot be read"},
		"rate":   {text("audio/l16;rate=1", "ab"), `rate "1"`},
		"empty":  {text("audio/l16", ""), "the sound is empty"},
		"status": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusPaymentRequired) }, "HTTP status 402"},
		"endless": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "audio/l16")
			_, _ = w.Write(make([]byte, 17<<20))
		}, "larger than"},
	} {
		s.reply = tc.reply
		c, err := v.Speak(t.Context(), script.Speech{Text: name, Vendor: "vosk"})
		switch {
		case tc.err == "" && (err != nil || len(samples(t, c)) < 20_000):
			t.Errorf("%s: %v", name, err)
		case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err) || !strings.Contains(err.Error(), "speech vendor Vosk")):
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := v.Speak(t.Context(), script.Speech{Text: strings.Repeat("a", 20_000), Vendor: "vosk"}); err == nil {
		t.Error("a long text is spoken")
	}
	if _, err := s.set(t, "wrong").Speak(t.Context(), script.Speech{Text: "a", Vendor: "vosk"}); err == nil || !strings.Contains(err.Error(), "401") || strings.Contains(err.Error(), "wrong") {
		t.Error(err)
	}
}

// TestFind: which vendor is meant.
func TestFind(t *testing.T) {
	v := vendor.New(vendor.Config{})
	if _, err := v.Speak(t.Context(), script.Speech{Text: "a"}); !errors.Is(err, script.ErrNoSpeech) {
		t.Error(err)
	}
	if _, err := v.Hear(t.Context(), call.Hearing{Vendor: "google"}); !errors.Is(err, call.ErrNoRecogniser) || !strings.Contains(err.Error(), `"google"`) {
		t.Error(err)
	}
	v.Use([]vendor.Vendor{{Name: "a", Speaks: "http://a/"}, {Name: "b", Hears: "ws://b/", Default: true}})
	for name, want := range map[string]bool{"a": true, "A": true, "custom:a": true, "": false, "b": false, "c": false} {
		if v.Speaks(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	v.Use([]vendor.Vendor{{Name: "a", Speaks: "http://a/", Default: true}})
	for _, name := range []string{"", "google", "a"} {
		if !v.Speaks(name) {
			t.Errorf("%q has no voice", name)
		}
	}
}

// TestHear: the vendor gets the whole sound in order, and its results arrive.
func TestHear(t *testing.T) {
	s := newService(t)
	v := s.set(t, "k1")
	var sound []int16
	var first map[string]any
	stopped := make(chan bool, 1)
	s.hear = func(ctx context.Context, c *websocket.Conn) {
		_, b, err := c.Read(ctx)
		if err != nil || json.Unmarshal(b, &first) != nil {
			t.Error(err)
		}
		for {
			kind, b, err := c.Read(ctx)
			if err != nil {
				return
			}
			if kind == websocket.MessageText {
				stopped <- string(b) == `{"type":"stop"}`
				_ = c.Close(websocket.StatusNormalClosure, "")
				return
			}
			for len(b) >= 2 {
				sound, b = append(sound, int16(binary.LittleEndian.Uint16(b))), b[2:]
			}
			if len(sound) == 8000 {
				for _, m := range []string{`{"type":"hello"}`, `{"type":"transcription","is_final":false,"language":"de-DE","alternatives":[{"transcript":"guten","confidence":0.2}]}`,
					`{"type":"transcription","is_final":true,"channel":1,"alternatives":[{"transcript":"guten Tag","confidence":0.9},{"transcript":"guter Tag","confidence":7}]}`} {
					_ = c.Write(ctx, websocket.MessageText, []byte(m))
				}
			}
		}
	}
	r, err := v.Hear(t.Context(), call.Hearing{Vendor: "vosk", Language: "de-DE", Hints: []string{"Tag"}, Interim: true, NoProfanity: true, Options: `{"depth":3}`})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		var f media.Frame
		for k := range f {
			f[k] = int16(i*160 + k)
		}
		r.WriteFrame(&f)
	}
	for _, want := range []string{"false guten 0.2 de-DE", "true guten Tag 0.9 "} {
		x, err := r.Next(t.Context())
		if got := fmt.Sprint(x.Final, " ", x.Text(), " ", x.Confidence(), " ", x.Language); err != nil || got != want || x.Vendor != "Vosk" || x.Channel != 1 || !json.Valid([]byte(x.Raw)) {
			t.Errorf("%+v, %v, want %s", x, err, want)
		}
	}
	r.Close()
	r.Close()
	<-r.Done()
	if !<-stopped {
		t.Error("the vendor was not told to stop")
	}
	for i, x := range sound {
		if x != int16(i) {
			t.Fatalf("sample %d is %d", i, x)
		}
	}
	want := map[string]any{"type": "start", "language": "de-DE", "format": "raw", "encoding": "LINEAR16", "sampleRateHz": 8000.0, "interimResults": true,
		"options": map[string]any{"hints": []any{"Tag"}, "profanityFilter": true, "customOptions": map[string]any{"depth": 3.0}}}
	if fmt.Sprint(first) != fmt.Sprint(want) {
		t.Errorf("started with %v", first)
	}
	if _, err := r.Next(t.Context()); err == nil {
		t.Error("more results after the end")
	}
}

// TestHearFailures: vendors that refuse, fail, vanish, or do not read.
func TestHearFailures(t *testing.T) {
	s := newService(t)
	v := s.set(t, "k1")
	if _, err := v.Hear(t.Context(), call.Hearing{Vendor: "deaf"}); !errors.Is(err, call.ErrNoRecogniser) {
		t.Error(err)
	}
	if _, err := s.set(t, "wrong").Hear(t.Context(), call.Hearing{Vendor: "vosk"}); err == nil || !strings.Contains(err.Error(), "401 instead of a websocket") {
		t.Error(err)
	}
	for name, tc := range map[string]struct {
		message, err string
	}{
		"error":   {`{"type":"error","error":"no model for xx"}`, "speech vendor Vosk: no model for xx"},
		"no JSON": {`{`, "cannot be read"},
		"gone":    {"", "the connection ended"},
		"long":    {`{"type":"transcription","alternatives":[{"transcript":"` + strings.Repeat("a", 9000) + `"}]}`, "longer than"},
	} {
		s.hears(func(ctx context.Context, c *websocket.Conn) {
			_, _, _ = c.Read(ctx)
			if tc.message != "" {
				_ = c.Write(ctx, websocket.MessageText, []byte(tc.message))
				_, _, _ = c.Read(ctx)
			}
		})
		r, err := v.Hear(t.Context(), call.Hearing{Vendor: "vosk"})
		if err != nil {
			t.Fatal(name, err)
		}
		if _, err := r.Next(t.Context()); err == nil || !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: %v", name, err)
		}
		r.Close()
		<-r.Done()
	}
	// One that takes nothing: the sound that waits is bounded.
	hold := make(chan struct{})
	s.hears(func(ctx context.Context, c *websocket.Conn) { <-hold })
	r, err := v.Hear(t.Context(), call.Hearing{Vendor: "vosk"})
	if err != nil {
		t.Fatal(err)
	}
	var f media.Frame
	for v.Stats().Dropped == 0 {
		r.WriteFrame(&f)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := r.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	close(hold)
	r.Close()
	<-r.Done()
	v.Close()
	if _, err := v.Hear(t.Context(), call.Hearing{Vendor: "vosk"}); err == nil {
		t.Error("a closed set listens")
	}
}

// TestWriteFrameDoesNotAllocate: it is called on the media tick.
func TestWriteFrameDoesNotAllocate(t *testing.T) {
	s := newService(t)
	v := s.set(t, "k1")
	hold := make(chan struct{})
	s.hears(func(context.Context, *websocket.Conn) { <-hold })
	r, err := v.Hear(t.Context(), call.Hearing{Vendor: "vosk"})
	if err != nil {
		t.Fatal(err)
	}
	var f media.Frame
	for v.Stats().Dropped == 0 { // nothing else is going on when the queue is full
		r.WriteFrame(&f)
	}
	if n := testing.AllocsPerRun(100, func() { r.WriteFrame(&f) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
	close(hold)
	r.Close()
	<-r.Done()
}
