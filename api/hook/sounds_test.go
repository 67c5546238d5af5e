package hook

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// studio is a server of sounds that counts what it is asked.
type studio struct {
	mu     sync.Mutex
	header http.Header
	body   string
	status int // 0: as it should be
	asked  int // requests
	sent   int // of these answered with the sound
	tags   []string
}

func (s *studio) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *studio) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	s.tags = append(s.tags, r.Header.Get("If-None-Match")+r.Header.Get("If-Modified-Since"))
	for k, v := range s.header {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", "audio/wav")
	tag := s.header.Get("Etag")
	switch {
	case s.status != 0:
		w.WriteHeader(s.status)
	case tag != "" && r.Header.Get("If-None-Match") == tag, s.header.Get("Last-Modified") != "" && r.Header.Get("If-Modified-Since") == s.header.Get("Last-Modified"):
		w.WriteHeader(http.StatusNotModified)
	default:
		s.sent++
		_, _ = io.WriteString(w, s.body)
	}
}

// TestSoundsAreKept: what a server allows is played again without being fetched, and
// what it has changed, forbidden or said nothing of is fetched.
func TestSoundsAreKept(t *testing.T) {
	for name, tt := range map[string]struct {
		header      http.Header
		asked, sent int // of three times, the last of them an hour later
	}{
		"nothing is said":      {http.Header{}, 3, 3},
		"a tag":                {http.Header{"Etag": {`"a"`}}, 3, 1},
		"a date":               {http.Header{"Last-Modified": {"Mon, 02 Jan 2006 15:04:05 GMT"}}, 3, 1},
		"a minute":             {http.Header{"Cache-Control": {"public, max-age=60"}}, 2, 2},
		"a minute and a tag":   {http.Header{"Cache-Control": {"max-age=60"}, "Etag": {`"a"`}}, 2, 1},
		"two hours":            {http.Header{"Cache-Control": {`max-age="7200"`}}, 1, 1},
		"a minute, long ago":   {http.Header{"Cache-Control": {"max-age=60"}, "Age": {"70"}, "Etag": {`"a"`}}, 3, 1},
		"not to be kept":       {http.Header{"Cache-Control": {"no-store, max-age=60"}, "Etag": {`"a"`}}, 3, 3},
		"to be asked for":      {http.Header{"Cache-Control": {"no-cache, max-age=60"}, "Etag": {`"a"`}}, 3, 1},
		"varies by everything": {http.Header{"Vary": {"*"}, "Etag": {`"a"`}}, 3, 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := &studio{header: tt.header, body: "RIFF" + strings.Repeat("x", 1000)}
			web := httptest.NewServer(s)
			defer web.Close()
			c := client(t, nil)
			now := time.Now()
			c.sounds.now = func() time.Time { return now }
			for i := range 3 {
				if i == 2 {
					now = now.Add(time.Hour)
				}
				wantSound(t, c, web.URL+"/a.wav", s.body)
			}
			if s.asked != tt.asked || s.sent != tt.sent {
				t.Errorf("asked %d times and sent %d, want %d and %d", s.asked, s.sent, tt.asked, tt.sent)
			}
		})
	}
}

func wantSound(t *testing.T, c *Client, url, want string) {
	t.Helper()
	r, kind, err := c.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil || string(b) != want || kind != "audio/wav" || r.Close() != nil {
		t.Fatalf("%d bytes of %s, %v; want %d", len(b), kind, err, len(want))
	}
}

// TestSoundsOverTLS: a sound is played over https from a server whose CA is trusted, and
// again from memory as long as it is; from another server, or when the CA is no longer
// trusted, nothing is.
func TestSoundsOverTLS(t *testing.T) {
	cert, root := certificate(t, time.Now().Add(24*time.Hour))
	_, other := certificate(t, time.Now().Add(24*time.Hour))
	s := &studio{header: http.Header{"Etag": {`"a"`}, "Cache-Control": {"must-revalidate"}}, body: "RIFF" + strings.Repeat("x", 1000)}
	web := httptest.NewUnstartedServer(s)
	web.Config.ErrorLog = log.New(io.Discard, "", 0) // refusals are part of the test
	web.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	web.StartTLS()
	defer web.Close()
	url := web.URL + "/a.wav#rc=0"
	c := client(t, func(c *Config) { c.Trust.Roots = other })
	_, _, err := c.Open(t.Context(), url)
	wantCode(t, err, codeCertPath)
	if s.asked != 0 {
		t.Errorf("a server that is not trusted was asked %d times", s.asked)
	}
	c.SetTrust(Trust{Roots: root})
	for range 2 {
		wantSound(t, c, url, s.body)
	}
	_, _, err = c.Open(t.Context(), strings.Replace(url, "127.0.0.1", "localhost", 1))
	wantCode(t, err, codeCertName)
	c.SetTrust(Trust{Roots: other})
	_, _, err = c.Open(t.Context(), url)
	wantCode(t, err, codeCertPath)
	if s.asked != 2 || s.sent != 1 {
		t.Errorf("asked %d times and sent %d, want 2 and 1", s.asked, s.sent)
	}
}

// TestSoundChanges: another tag brings another sound, and a server that fails does not
// silence one that is kept, unless it has forbidden that.
func TestSoundChanges(t *testing.T) {
	s := &studio{header: http.Header{"Etag": {`"one"`}}, body: "RIFF one"}
	web := httptest.NewServer(s)
	c := client(t, nil)
	url := web.URL + "/a.wav"
	wantSound(t, c, url, "RIFF one")
	s.set(func() { s.header, s.body = http.Header{"Etag": {`"two"`}}, "RIFF two" })
	wantSound(t, c, url, "RIFF two")
	s.set(func() { s.status = 503 })
	wantSound(t, c, url, "RIFF two")
	s.set(func() { s.status = 404 })
	_, _, err := c.Open(t.Context(), url)
	wantCode(t, err, codeStatus)
	s.set(func() { s.status, s.header = 0, http.Header{"Etag": {`"three"`}, "Cache-Control": {"must-revalidate"}} })
	wantSound(t, c, url, "RIFF two") // as it was sent now
	if got := c.SoundStats(); got.Stale != 1 || got.Hits != 1 || got.Held != 1 {
		t.Errorf("%+v", got)
	}
	web.Close()
	if _, _, err := c.Open(t.Context(), url); err == nil {
		t.Error("it was played although its server has forbidden that")
	}
}

// TestSoundsAreBounded: the memory stays below its limit whatever is played, also by
// many at once, what is used goes last, and what was not read whole is not kept.
func TestSoundsAreBounded(t *testing.T) {
	const limit = 64 << 10
	s := &studio{header: http.Header{"Etag": {`"a"`}}, body: strings.Repeat("x", 5000)}
	web := httptest.NewServer(s)
	defer web.Close()
	c := client(t, func(cfg *Config) { cfg.SoundBytes = limit })
	for i := range 40 {
		wantSound(t, c, fmt.Sprintf("%s/%d.wav", web.URL, i), s.body)
		wantSound(t, c, web.URL+"/0.wav", s.body)
		if got := c.SoundStats(); got.Bytes > limit || got.Held > limit/5000 {
			t.Fatalf("%+v", got)
		}
	}
	if got := c.SoundStats(); got.Evicted != 40-uint64(got.Held) || got.Held < 10 || s.sent != 40 {
		t.Errorf("%+v, sent %d times", got, s.sent)
	}
	s.set(func() { s.body = strings.Repeat("x", limit/soundShare) }) // one too large
	before := c.SoundStats()
	wantSound(t, c, web.URL+"/large.wav", s.body)
	r, _, err := c.Open(t.Context(), web.URL+"/part.wav")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 100)); err != nil || r.Close() != nil {
		t.Fatal(err)
	}
	if got := c.SoundStats(); got.Held > before.Held || got.Bytes > before.Bytes || c.sounds.held[web.URL+"/part.wav"] != nil || c.sounds.held[web.URL+"/large.wav"] != nil {
		t.Errorf("%+v, before %+v", got, before)
	}
	s.set(func() { s.body = strings.Repeat("x", 9000) })
	var all sync.WaitGroup
	for i := range 30 {
		all.Go(func() {
			r, _, err := c.Open(t.Context(), fmt.Sprintf("%s/at-once-%d.wav", web.URL, i%10))
			if err != nil {
				t.Error(err)
				return
			}
			if b, err := io.ReadAll(r); err != nil || len(b) != 9000 || r.Close() != nil {
				t.Errorf("%d bytes, %v", len(b), err)
			}
		})
	}
	all.Wait()
	if got := c.SoundStats(); got.Bytes > limit || got.Held == 0 || len(c.sounds.filling) != 0 {
		t.Errorf("%+v, %d are arriving", got, len(c.sounds.filling))
	}
}
