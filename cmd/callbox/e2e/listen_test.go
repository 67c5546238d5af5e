//go:build e2e

package e2e

import (
	"encoding/binary"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"callbox/media"
)

// startListener runs the vendor's library as an application that takes the sound
// of calls; the file holds what it heard once the stream has ended.
func startListener(t *testing.T) (a *hookApp, heard string) {
	t.Helper()
	heard = filepath.Join(t.TempDir(), "heard.raw")
	return startProgram(t, "clients-jambonz", "audio.mjs", "OUT="+heard), heard
}

// rawFile writes samples of the box's rate as bare samples of another.
func rawFile(t *testing.T, s []int16, hz int) string {
	t.Helper()
	s, err := media.Resample(s, rate, hz)
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	for _, v := range s {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	path := filepath.Join(t.TempDir(), "sound.raw")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// readRaw reads bare samples of a rate, on so many channels, at the box's rate.
func readRaw(t *testing.T, path string, hz, channels int) [][]int16 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := make([]int16, len(b)/2)
	for i := range s {
		s[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	var out [][]int16
	for n := range channels {
		one, err := media.Resample(channel(s, n, channels), hz, rate)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, one)
	}
	return out
}

// TestListen: an application of the vendor's library hears a phone at 16 kHz,
// streams its own voice to it, learns of keys and marks, and ends the verb.
func TestListen(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	greeting := speak(t, "Welcome. This sentence came as bare samples from an application.")
	boring := speak(t, "Nobody should ever hear the end of this very long announcement.", "-v", "en-us")
	answer := speak(t, "I am calling about the seven boxes of paper that never arrived.", "-v", "en-us")
	after := speak(t, "The stream is over, and the application goes on.", "-p", "70")
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: twice(answer)})
	l, heard := startListener(t)
	a := newJSONApp(t)
	a.wav("/after.wav", after)
	a.verbs("/status", ``)
	a.verbs("/voice", `[{"verb":"listen","url":"`+l.url+`","actionHook":"/after","sampleRate":16000,"passDtmf":true,"metadata":{"order":17},
		"wsAuth":{"username":"app","password":"a1p2p3"},"bidirectionalAudio":{"enabled":true,"streaming":true,"sampleRate":24000}}]`)
	a.verbs("/after", `[{"verb":"play","url":["/after.wav","/after.wav"]},{"verb":"hangup"}]`)
	sid := g.createSocket("bob", a.URL+"/voice")
	bob.wait("CALL_ESTABLISHED")
	m := l.told("connection", 1, nil)
	if m["callSid"] != sid || m["sampleRate"] != 16000.0 || m["mixType"] != "mono" || m["order"] != 17.0 || m["protocol"] != "audio.drachtio.org" || m["direction"] != "outbound" {
		t.Errorf("the first message: %v", m)
	}
	if r := l.requests("connection")[0]; r.Query != "Basic YXBwOmExcDJwMw==" {
		t.Errorf("the handshake's credentials: %q", r.Query)
	}
	l.order("stream " + rawFile(t, twice(greeting), 24000))
	l.order("mark greeted")
	if m := l.told("mark", 1, nil); m["name"] != "greeted" || m["event"] != "playout" {
		t.Errorf("mark: %v", m)
	}
	var long []int16
	for range 6 {
		long = append(long, boring...)
	}
	l.order("stream " + rawFile(t, append(make([]int16, 3*rate), long...), 24000))
	l.order("mark bored")
	l.order("clear")
	if m := l.told("mark", 2, nil); m["name"] != "bored" || m["event"] != "cleared" {
		t.Errorf("mark: %v", m)
	}
	l.order("kill")
	bob.press("7")
	if m := l.told("dtmf", 1, nil); m["digit"] != "7" {
		t.Errorf("dtmf: %v", m)
	}
	l.order("disconnect")
	l.told("close", 1, nil)
	if m := a.nth("/after", 1); m["call_sid"] != sid || m["dial_call_duration"].(float64) < 5 {
		t.Errorf("the action: %v", m)
	}
	poll(t, "the call ends", func() bool {
		code, c := g.askJSON(http.MethodGet, "/Calls/"+sid, "")
		return code == http.StatusOK && c["call_status"] == "completed"
	})
	hearsOnce(t, "the application", readRaw(t, heard, 16000, 1)[0], answer)
	got := bob.heard()
	hearsOnce(t, "the phone, of the stream", got, greeting)
	hearsOnce(t, "the phone, of the next verb", got, after)
	deaf(t, "the phone", got, boring)
}

// TestListenInDial: an application hears both sides of a connection on a channel
// each, plays a whole sound to one of them, and a key or the end of the connection
// ends it.
func TestListenInDial(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	said := map[string]map[int][]int16{
		"alice": {1: speak(t, "This is Alice. The garden gate was left open.")},
		"bob":   {1: speak(t, "Bob speaking. Seven boxes of paper arrived.", "-v", "en-us")},
	}
	notice := speak(t, "This connection is being listened to.", "-p", "70")
	second := speak(t, "This notice waited behind the other one.", "-p", "30")
	phones := map[string]*baresip{}
	for name, password := range map[string]string{"alice": "a1l2i3c4e5", "bob": "b1o2b3b4o5"} {
		phones[name] = startBaresip(t, phone{name: name, password: password, registrar: g.sip, answer: "auto", says: timeline(t, said[name])})
	}
	l, heard := startListener(t)
	a := newJSONApp(t)
	a.verbs("/status", ``)
	a.verbs("/voice", `[{"verb":"dial","target":[{"type":"user","name":"alice"}],"listen":{"url":"`+l.url+`","mixType":"stereo"}}]`)
	sid := g.createSocket("bob", a.URL+"/voice")
	phones["bob"].wait("CALL_ESTABLISHED")
	phones["alice"].wait("CALL_ESTABLISHED")
	began := time.Now()
	if m := l.told("connection", 1, nil); m["callSid"] != sid || m["mixType"] != "stereo" || m["sampleRate"] != 8000.0 {
		t.Errorf("the first message: %v", m)
	}
	slots(began, 2.2)
	first := rawFile(t, twice(notice), rate)
	next := filepath.Join(t.TempDir(), "next.wav")
	writeWAV(t, next, twice(second))
	l.order("play " + first)
	l.order("queue " + next)
	for n, want := range []string{first, next} {
		if m := l.told("playDone", n+1, nil); m["id"] != want {
			t.Errorf("playDone %d: %v", n, m)
		}
	}
	phones["alice"].do("hangup", "")
	l.told("close", 1, nil)
	poll(t, "the call ends", func() bool {
		code, c := g.askJSON(http.MethodGet, "/Calls/"+sid, "")
		return code == http.StatusOK && c["call_status"] == "completed"
	})
	ch := readRaw(t, heard, 8000, 2)
	hearsOnce(t, "the application, of bob", ch[0], said["bob"][1])
	hearsOnce(t, "the application, of alice", ch[1], said["alice"][1])
	hearsOnce(t, "bob", phones["bob"].heard(), said["alice"][1])
	hearsOnce(t, "bob, of the application", phones["bob"].heard(), notice)
	hearsOnce(t, "bob, of the second notice", phones["bob"].heard(), second)
	hearsOnce(t, "alice", phones["alice"].heard(), said["bob"][1])
	deaf(t, "alice", phones["alice"].heard(), notice)
}
