//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"sync"
	"testing"

	"callbox/call/line/sipleg/siptest"
	"callbox/media/codec"
)

// shelf serves sounds with a tag each, and counts.
type shelf struct {
	mu          sync.Mutex
	down        bool
	whole, same int // answers with the sound, and that it has not changed
}

func (s *shelf) serve(kind, tag string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		w.Header().Set("ETag", tag)
		switch {
		case s.down:
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.Header.Get("If-None-Match") == tag:
			s.same++
			w.WriteHeader(http.StatusNotModified)
		default:
			s.whole++
			w.Header().Set("Content-Type", kind)
			w.Write(body)
		}
	}
}

func (s *shelf) counts() (whole, same int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.whole, s.same
}

// TestPlayback: a phone hears WAV, MP3 and bare µ-law, from the middle on, again and
// again, and what was played before is asked for by its tag, not fetched, and is heard
// even while its server fails.
func TestPlayback(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	sentence := speak(t, "The parcel is waiting at the counter on the second floor.")
	mp3, err := os.ReadFile("../../../media/mp3/testdata/music.mp3")
	if err != nil {
		t.Fatal(err)
	}
	tune, n := readWAV(t, "../../../media/mp3/testdata/music.wav")
	if n != 1 {
		t.Fatalf("%d channels", n)
	}
	ulaw := make([]byte, len(sentence))
	codec.PCMU.Encode(ulaw, sentence)
	s := &shelf{}
	a.handle("/a.wav", s.serve("audio/wav", `"wav-1"`, wavBytes(sentence)))
	a.handle("/a.mp3", s.serve("audio/mpeg", `"mp3-1"`, mp3))
	a.handle("/a", s.serve("audio/basic", `"ulaw-1"`, ulaw))
	alice := softphone(t, g, "127.0.0.2", "alice", "a1l2i3c4e5")
	listen := func(what, twiml string, said ...[]int16) []int16 {
		t.Helper()
		before := len(alice.Invites())
		g.create(url.Values{"To": {"client:alice"}, "From": {"+14155550100"}, "Twiml": {"<Response>" + twiml + "</Response>"}})
		poll(t, "it rings", func() bool { return len(alice.Invites()) > before })
		lift(t, alice)
		if _, err := alice.WaitEnd(t.Context()); err != nil {
			t.Fatal(err)
		}
		heard := alice.Heard()
		for i, want := range said {
			hears(t, fmt.Sprintf("%s, part %d", what, i+1), heard, want)
		}
		return heard
	}
	play := func(path, attributes string) string {
		return fmt.Sprintf(`<Pause length="1"/><Play%s>%s%s</Play><Pause length="1"/>`, attributes, a.URL, path)
	}
	listen("WAV", play("/a.wav", ""), sentence)
	// The encoder's delay is no whole number of samples, which costs likeness of high notes.
	if c := similarity(listen("MP3", play("/a.mp3", "")), tune); c < 0.6 {
		t.Errorf("MP3: similarity %.2f", c)
	}
	listen("µ-law", play("/a", ""), sentence)
	if whole, same := s.counts(); whole != 3 || same != 0 {
		t.Errorf("%d sounds were fetched and %d asked for by their tag, want 3 and 0", whole, same)
	}
	heard := listen("twice", play("/a.wav", ` loop="2"`), sentence)
	hears(t, "the second time", heard[len(heard)/2:], sentence)
	if whole, same := s.counts(); whole != 3 || same != 2 {
		t.Errorf("%d sounds were fetched and %d asked for by their tag, want 3 and 2", whole, same)
	}
	s.mu.Lock()
	s.down = true
	s.mu.Unlock()
	listen("with a server that fails", play("/a.wav", ""), sentence)
	if m := g.metrics(); m["callbox_sound_stale_total"] != 1 || m["callbox_sound_hits_total"] != 3 {
		t.Errorf("hits %v, of them stale %v", m["callbox_sound_hits_total"], m["callbox_sound_stale_total"])
	}
	s.mu.Lock()
	s.down = false
	s.mu.Unlock()
	playFromTheMiddle(t, g, a, alice, sentence)
}

// playFromTheMiddle has jambonz's play begin within a sound.
func playFromTheMiddle(t *testing.T, g *gateway, a *app, alice *siptest.Endpoint, sentence []int16) {
	t.Helper()
	h := serveJSON(t, a, map[string]string{
		"/first": `[{"verb":"pause","length":1},{"verb":"play","url":"` + a.URL + `/a.wav","seekOffset":16000},{"verb":"pause","length":1},{"verb":"hangup"}]`,
	})
	before := len(alice.Invites())
	code, body := g.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(`{"from":"1","to":{"type":"user","name":"alice"},"call_hook":%q}`, h.base+"/first"))
	if code != http.StatusCreated {
		t.Fatalf("create: %d %v", code, body)
	}
	poll(t, "it rings", func() bool { return len(alice.Invites()) > before })
	lift(t, alice)
	if _, err := alice.WaitEnd(t.Context()); err != nil {
		t.Fatal(err)
	}
	hears(t, "from the middle", alice.Heard(), sentence[16000:])
	if c := similarity(alice.Heard(), sentence[:12000]); c > 0.7 {
		t.Errorf("what is before the middle is heard too: similarity %.2f", c)
	}
}
