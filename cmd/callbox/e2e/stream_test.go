//go:build e2e

package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	twilioclient "github.com/twilio/twilio-go/client"
	openapi "github.com/twilio/twilio-go/rest/api/v2010"

	"callbox/media/codec"
)

// ear is an application that takes media streams: each connection at its address
// is kept with what came over it.
type ear struct {
	url string // ws://…

	mu      sync.Mutex
	streams []*heardStream
}

// heardStream is one connection.
type heardStream struct {
	t      *testing.T
	header http.Header
	conn   *websocket.Conn

	mu       sync.Mutex
	messages []streamMessage // all but media
	sound    map[string][]int16
	last     int   // sequence number
	ended    error // why reading ended
}

// streamMessage is a message of the gateway.
type streamMessage struct {
	Event    string `json:"event"`
	Protocol string `json:"protocol"`
	Seq      string `json:"sequenceNumber"`
	Stream   string `json:"streamSid"`
	Start    struct {
		Account    string            `json:"accountSid"`
		Call       string            `json:"callSid"`
		Tracks     []string          `json:"tracks"`
		Parameters map[string]string `json:"customParameters"`
		Format     struct {
			Encoding string `json:"encoding"`
			Rate     int    `json:"sampleRate"`
			Channels int    `json:"channels"`
		} `json:"mediaFormat"`
	} `json:"start"`
	Media struct {
		Track, Chunk, Timestamp, Payload string
	} `json:"media"`
	Mark struct{ Name string }  `json:"mark"`
	DTMF struct{ Digit string } `json:"dtmf"`
	at   time.Time
}

// listenAt takes media streams at a path of the application.
func listenAt(a *app, path string) *ear {
	e := &ear{url: strings.Replace(a.URL, "http://", "ws://", 1) + path}
	a.handle(path, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			a.t.Errorf("a stream's handshake: %v", err)
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(1 << 20)
		s := &heardStream{t: a.t, header: r.Header, conn: c, sound: map[string][]int16{}}
		e.mu.Lock()
		e.streams = append(e.streams, s)
		e.mu.Unlock()
		s.read()
	})
	return e
}

// stream waits for the n-th connection.
func (e *ear) stream(t *testing.T, n int) *heardStream {
	t.Helper()
	get := func() []*heardStream { e.mu.Lock(); defer e.mu.Unlock(); return e.streams }
	poll(t, fmt.Sprintf("stream %d is connected", n), func() bool { return len(get()) >= n })
	return get()[n-1]
}

// read takes messages until the connection ends.
func (s *heardStream) read() {
	for {
		_, b, err := s.conn.Read(context.Background())
		s.mu.Lock()
		if err != nil {
			s.ended = err
			s.mu.Unlock()
			return
		}
		s.take(b)
		s.mu.Unlock()
	}
}

func (s *heardStream) take(b []byte) {
	m := streamMessage{at: time.Now()}
	if err := json.Unmarshal(b, &m); err != nil {
		s.t.Errorf("message %s: %v", b, err)
		return
	}
	if m.Event != "connected" {
		s.last++
		if m.Seq != fmt.Sprint(s.last) || !strings.HasPrefix(m.Stream, "MZ") {
			s.t.Errorf("message %d: %.200s", s.last, b)
		}
	}
	if m.Event != "media" {
		s.messages = append(s.messages, m)
		return
	}
	payload, err := base64.StdEncoding.DecodeString(m.Media.Payload)
	if err != nil || len(payload) != 160 {
		s.t.Errorf("a payload of %d bytes: %v", len(payload), err)
	}
	samples := make([]int16, len(payload))
	codec.PCMU.Decode(samples, payload)
	s.sound[m.Media.Track] = append(s.sound[m.Media.Track], samples...)
}

// until waits for the n-th message of an event.
func (s *heardStream) until(event string, n int) streamMessage {
	s.t.Helper()
	var found streamMessage
	poll(s.t, fmt.Sprintf("%s %d of the stream", event, n), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		left := n
		for _, m := range s.messages {
			if m.Event == event {
				if left--; left == 0 {
					found = m
					return true
				}
			}
		}
		return false
	})
	return found
}

// closed waits for the end of the connection.
func (s *heardStream) closed() error {
	s.t.Helper()
	var err error
	poll(s.t, "the stream's connection ends", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		err = s.ended
		return err != nil
	})
	return err
}

// heard is what came of a track so far.
func (s *heardStream) heard(track string) []int16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]int16(nil), s.sound[track]...)
}

func (s *heardStream) say(v any) {
	s.t.Helper()
	b, err := json.Marshal(v)
	if err == nil {
		err = s.conn.Write(context.Background(), websocket.MessageText, b)
	}
	if err != nil {
		s.t.Fatalf("the application speaks: %v", err)
	}
}

// play sends sound in pieces, faster than it is heard, and a mark behind it.
func (s *heardStream) play(stream string, sound []int16, mark string) {
	s.t.Helper()
	const piece = rate / 4
	for len(sound) > 0 {
		n := min(piece, len(sound))
		b := make([]byte, n)
		codec.PCMU.Encode(b, sound[:n])
		sound = sound[n:]
		s.say(map[string]any{"event": "media", "streamSid": stream, "media": map[string]string{"payload": base64.StdEncoding.EncodeToString(b)}})
	}
	s.say(map[string]any{"event": "mark", "streamSid": stream, "mark": map[string]string{"name": mark}})
}

// TestStreamBothTracks: an application hears, over a websocket, what a phone says
// and what it is told, while the document goes on.
func TestStreamBothTracks(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	question := speak(t, "Good morning. Please tell us in a few words what your call is about.")
	answer := speak(t, "I am calling about the seven boxes of paper that never arrived.", "-v", "en-us")
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: twice(answer)})
	a.wav("/question.wav", question)
	e := listenAt(a, "/audio")
	a.doc("/voice", `<Response><Start><Stream url="`+e.url+`" name="ears" track="both_tracks" statusCallback="/stream">
		<Parameter name="order" value="17"/></Stream></Start>
		<Play loop="2">/question.wav</Play><Pause length="3"/><Stop><Stream name="ears"/></Stop><Pause length="1"/></Response>`)
	sid := g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	bob.wait("CALL_ESTABLISHED")
	s := e.stream(t, 1)
	v := twilioclient.NewRequestValidator(g.token)
	if !v.Validate(e.url, nil, s.header.Get("X-Twilio-Signature")) {
		t.Errorf("the signature %q is not that of %s", s.header.Get("X-Twilio-Signature"), e.url)
	}
	if m := s.until("connected", 1); m.Protocol != "Call" {
		t.Errorf("connected: %+v", m)
	}
	start := s.until("start", 1)
	if st := start.Start; st.Account != g.account || st.Call != sid || len(st.Tracks) != 2 || st.Parameters["order"] != "17" ||
		st.Format.Encoding != "audio/x-mulaw" || st.Format.Rate != rate || st.Format.Channels != 1 {
		t.Errorf("start: %+v", start)
	}
	s.until("stop", 1)
	if err := s.closed(); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("the stream ended with %v", err)
	}
	g.until(sid, "completed")
	hearsOnce(t, "the application, of the phone", s.heard("inbound"), answer)
	hearsOnce(t, "the application, of the box", s.heard("outbound"), question)
	deaf(t, "the track of the phone", s.heard("inbound"), question)
	for n, want := range []string{"stream-started", "stream-stopped"} {
		r := a.until("/stream", n+1)
		if r.form.Get("StreamEvent") != want || r.form.Get("StreamSid") != start.Stream || r.form.Get("StreamName") != "ears" || r.form.Get("CallSid") != sid {
			t.Errorf("callback %d: %v", n, r.form)
		}
	}
}

// twice says something again after a while, for whoever did not hear it whole.
func twice(s []int16) []int16 {
	return append(append(append([]int16(nil), s...), make([]int16, rate)...), s...)
}

// TestStreamTwoWay: an application speaks to the phone over a websocket, learns
// what was heard and which keys were pressed, and takes back what was not.
func TestStreamTwoWay(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	greeting := speak(t, "Welcome. Every word of this sentence came over a websocket from an application.")
	boring := speak(t, "Nobody should ever hear the end of this very long and boring announcement.", "-v", "en-us")
	after := speak(t, "The stream is over, and the document goes on.", "-p", "70")
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	e := listenAt(a, "/talk")
	a.wav("/after.wav", after)
	a.doc("/voice", `<Response><Connect action="/done"><Stream url="`+e.url+`"/></Connect></Response>`)
	a.doc("/done", `<Response><Play loop="2">/after.wav</Play></Response>`)
	sid := g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	bob.wait("CALL_ESTABLISHED")
	s := e.stream(t, 1)
	start := s.until("start", 1)
	if len(start.Start.Tracks) != 1 || start.Start.Tracks[0] != "inbound" {
		t.Errorf("tracks %v", start.Start.Tracks)
	}
	s.play(start.Stream, twice(greeting), "greeted")
	began := time.Now()
	length := time.Duration(len(twice(greeting))) * time.Second / rate
	if m := s.until("mark", 1); m.Mark.Name != "greeted" || time.Since(began) < length-time.Second || time.Since(began) > length+10*time.Second {
		t.Errorf("mark %q after %v of %v", m.Mark.Name, time.Since(began), length)
	}
	// What was not heard is taken back, and its mark comes at once.
	var long []int16
	for range 10 {
		long = append(long, boring...)
	}
	s.play(start.Stream, append(make([]int16, 2*rate), long...), "bored")
	s.say(map[string]any{"event": "clear", "streamSid": start.Stream})
	began = time.Now()
	if m := s.until("mark", 2); m.Mark.Name != "bored" || time.Since(began) > 10*time.Second {
		t.Errorf("mark %q after %v", m.Mark.Name, time.Since(began))
	}
	bob.press("5#")
	for n, want := range []string{"5", "#"} {
		if m := s.until("dtmf", n+1); m.DTMF.Digit != want {
			t.Errorf("key %d: %q", n, m.DTMF.Digit)
		}
	}
	s.conn.Close(websocket.StatusNormalClosure, "")
	a.until("/done", 1)
	g.until(sid, "completed")
	heard := bob.heard()
	hearsOnce(t, "the phone, of the application", heard, greeting)
	hearsOnce(t, "the phone, of the document", heard, after)
	deaf(t, "the phone", heard, boring)
}

// TestStreamByRequest: the vendor's client carries the sound of two connected
// phones to an application and stops that; the phones hear each other throughout.
func TestStreamByRequest(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	said := map[string]map[int][]int16{
		"alice": {1: speak(t, "This is Alice. The garden gate was left open."), 3: speak(t, "Alice says this after the stream has ended.")},
		"bob":   {1: speak(t, "Bob speaking. Seven boxes of paper arrived.", "-v", "en-us"), 3: speak(t, "Bob says that nobody listens any more.", "-v", "en-us")},
	}
	phones := map[string]*baresip{}
	for name, password := range map[string]string{"alice": "a1l2i3c4e5", "bob": "b1o2b3b4o5"} {
		phones[name] = startBaresip(t, phone{name: name, password: password, registrar: g.sip, answer: "auto", says: timeline(t, said[name])})
	}
	e := listenAt(a, "/audio")
	a.doc("/voice", `<Response><Dial><Client>alice</Client></Dial></Response>`)
	sid := g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	phones["bob"].wait("CALL_ESTABLISHED")
	phones["alice"].wait("CALL_ESTABLISHED")
	began := time.Now()
	api := g.twilio().Api
	p := &openapi.CreateStreamParams{}
	p.SetUrl(e.url).SetName("ears").SetTrack("both_tracks").SetStatusCallback(a.URL + "/stream").SetParameter1Name("who").SetParameter1Value("alice & bob")
	got, err := api.CreateStream(sid, p)
	if err != nil || *got.Status != "in-progress" || *got.Name != "ears" {
		t.Fatalf("start: %+v, %v", got, err)
	}
	s := e.stream(t, 1)
	if m := s.until("start", 1); m.Stream != *got.Sid || m.Start.Parameters["who"] != "alice & bob" {
		t.Errorf("start: %+v", m)
	}
	slots(began, 2.5)
	if got, err := api.UpdateStream(sid, "ears", (&openapi.UpdateStreamParams{}).SetStatus("stopped")); err != nil || *got.Status != "stopped" {
		t.Errorf("stop: %+v, %v", got, err)
	}
	s.until("stop", 1)
	slots(began, 4.3)
	if code, _ := g.post("/Calls/"+sid+".json", url.Values{"Status": {"completed"}}); code != http.StatusOK {
		t.Errorf("end: %d", code)
	}
	g.until(sid, "completed")
	hearsOnce(t, "the application, of bob", s.heard("inbound"), said["bob"][1])
	hearsOnce(t, "the application, of alice", s.heard("outbound"), said["alice"][1])
	deaf(t, "the application, after the stop,", s.heard("inbound"), said["bob"][3])
	for _, slot := range []int{1, 3} {
		hearsOnce(t, fmt.Sprintf("bob, in slot %d,", slot), phones["bob"].heard(), said["alice"][slot])
		hearsOnce(t, fmt.Sprintf("alice, in slot %d,", slot), phones["alice"].heard(), said["bob"][slot])
	}
	a.until("/stream", 2)
}

// TestStreamFails: a call goes on without the application that it cannot reach,
// and says why.
func TestStreamFails(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	after := speak(t, "The document goes on without the stream.")
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	a.wav("/after.wav", after)
	ws := strings.Replace(a.URL, "http://", "ws://", 1)
	a.doc("/voice", `<Response><Connect><Stream url="`+ws+`/nobody" statusCallback="/stream"/></Connect>
		<Connect><Stream url="ws://169.254.169.254/latest"/></Connect><Play loop="2">/after.wav</Play></Response>`)
	sid := g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	bob.wait("CALL_ESTABLISHED")
	g.until(sid, "completed")
	hearsOnce(t, "the phone", bob.heard(), after)
	if r := a.until("/stream", 1); r.form.Get("StreamEvent") != "stream-error" || !strings.Contains(r.form.Get("StreamError"), "HTTP status 204") {
		t.Errorf("callback: %v", r.form)
	}
	_, body := g.get("/Calls/" + sid + "/Notifications.json")
	if out := fmt.Sprint(body); !strings.Contains(out, "HTTP status 204") || !strings.Contains(out, "link-local") {
		t.Errorf("the call's notifications do not say why: %s", out)
	}
}
