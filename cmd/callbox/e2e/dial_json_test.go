//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// jsonHooks are the hooks of an application in JSON.
type jsonHooks struct {
	t    *testing.T
	base string
	told map[string]chan map[string]any
}

// serveJSON answers each path with a document.
func serveJSON(t *testing.T, a *app, documents map[string]string) *jsonHooks {
	h := &jsonHooks{t: t, told: map[string]chan map[string]any{}}
	for path, body := range documents {
		ch := make(chan map[string]any, 1000)
		h.told[path] = ch
		u := a.handle(path, func(w http.ResponseWriter, r *http.Request) {
			var m map[string]any
			_ = json.NewDecoder(r.Body).Decode(&m)
			ch <- m
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
		})
		h.base = strings.TrimSuffix(u, path)
	}
	return h
}

// await waits for the next request to path.
func (h *jsonHooks) await(path string) map[string]any {
	h.t.Helper()
	select {
	case m := <-h.told[path]:
		return m
	case <-time.After(patience):
		h.t.Fatalf("%s was not asked", path)
		return nil
	}
}

// TestDialMusicKeysHold: the caller hears an MP3 sound until the callee lifts, the
// keys of both are told, and who is held hears the hook's sound.
func TestDialMusicKeysHold(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	mp3, err := os.ReadFile("../../../media/mp3/testdata/music.mp3")
	if err != nil {
		t.Fatal(err)
	}
	f, _ := readWAV(t, "../../../media/mp3/testdata/music.wav")
	a.handle("/music.mp3", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "audio/mpeg")
		_, _ = w.Write(mp3)
	})
	wait := speak(t, "Please hold the line, somebody will be with you again in a moment.")
	hold := a.wav("/hold.wav", wait)
	h := serveJSON(t, a, map[string]string{
		"/first": `[{"verb":"dial","target":[{"type":"user","name":"alice"}],"dialMusic":"/music.mp3","actionHook":"/done","onHoldHook":"/held","dtmfHook":"/keys",
			"dtmfCapture":{"parentCall":["*1"],"childCall":["99"]}}]`,
		"/done": `[{"verb":"hangup"}]`, "/keys": "", "/held": fmt.Sprintf(`[{"verb":"play","url":%q}]`, hold),
	})
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "manual"})
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	if code, body := g.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(`{"from":"1","to":{"type":"user","name":"bob"},"call_hook":%q}`, h.base+"/first")); code != http.StatusCreated {
		t.Fatalf("create: %d %v", code, body)
	}
	alice.wait("CALL_INCOMING")
	pauseFor(5 * time.Second) // the music is heard once, and begins again
	alice.do("accept", "")
	alice.wait("CALL_ESTABLISHED")
	pauseFor(time.Second)
	bob.press("5*1")
	if m := h.await("/keys"); m["dtmf"] != "*1" || m["call_sid"] == nil {
		t.Errorf("the caller's keys: %v", m)
	}
	alice.press("99")
	if m := h.await("/keys"); m["dtmf"] != "99" {
		t.Errorf("the callee's keys: %v", m)
	}
	alice.do("hold", "")
	if m := h.await("/held"); fmt.Sprint(m["hold_detail"]) != "map[from:1 to:alice]" {
		t.Errorf("who holds: %v", m["hold_detail"])
	}
	pauseFor(time.Duration(len(wait))*time.Second/rate + time.Second)
	alice.do("resume", "")
	pauseFor(time.Second)
	alice.do("hangup", "")
	if m := h.await("/done"); m["dial_call_status"] != "completed" {
		t.Errorf("dial told %v", m)
	}
	heard := bob.heard()
	hears(t, "the caller", heard, f)
	hears(t, "the caller on hold", heard, wait)
}

// TestDialDub: the callee hears a track besides the caller, who does not; and the
// caller one that is laid under its call from outside, which the callee does not. What
// the caller itself sends, a soft tone, comes to the callee 6 dB softer.
func TestDialDub(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	track := speak(t, "This is a track that only the callee can hear, nobody else.")
	mine := speak(t, "And these few words are meant for the one who called.", "-p", "80")
	a.wav("/mine.wav", mine)
	h := serveJSON(t, a, map[string]string{
		"/first": fmt.Sprintf(`[{"verb":"dial","target":[{"type":"user","name":"alice"}],"dub":[{"action":"addTrack","track":"t","play":%q}],"boostAudioSignal":"-6 dB","timeLimit":12}]`, a.wav("/track.wav", track)),
	})
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto"})
	const hz, loud = 1000, 800.0
	hum := make([]int16, 60*rate)
	for i := range hum {
		hum[i] = int16(math.Round(loud * math.Sin(2*math.Pi*hz*float64(i)/rate)))
	}
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: hum})
	code, made := g.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(`{"from":"1","to":{"type":"user","name":"bob"},"call_hook":%q}`, h.base+"/first"))
	if code != http.StatusCreated {
		t.Fatalf("create: %d %v", code, made)
	}
	alice.wait("CALL_ESTABLISHED")
	if code, body := g.askJSON(http.MethodPut, "/Calls/"+text(made["sid"]), fmt.Sprintf(`{"dub":{"action":"addTrack","track":"u","play":%q}}`, a.URL+"/mine.wav")); code != http.StatusAccepted {
		t.Fatalf("dub: %d %v", code, body)
	}
	alice.wait("CALL_CLOSED")
	hears(t, "the callee", alice.heard(), track)
	hears(t, "the caller", bob.heard(), mine)
	if s := similarity(alice.heard(), mine); s > 0.5 {
		t.Errorf("the callee hears the caller's track (%.2f)", s)
	}
	if s := similarity(bob.heard(), track); s > 0.5 {
		t.Errorf("the caller hears the callee's track (%.2f)", s)
	}
	var heard []float64 // the level of the tone wherever nothing else is heard
	for s := alice.heard(); len(s) >= rate/10; s = s[rate/10:] {
		if part := s[:rate/10]; share(part, hz) > 0.95 {
			heard = append(heard, 10*math.Log10(2*energy(part)/float64(len(part))/(loud*loud)))
		}
	}
	slices.Sort(heard)
	if len(heard) < 20 {
		t.Fatalf("the tone alone is heard for %d tenths of a second", len(heard))
	}
	if dB := heard[len(heard)/2]; math.Abs(dB+6) > 0.5 {
		t.Errorf("the callee hears the caller %.1f dB softer, want 6", -dB)
	}
}

// TestDialTarget: a dial sends headers of its own and of the target, shows the caller
// that it names, runs the target's document first, tells what answers, and keeps the
// sound in the box where that is wanted.
func TestDialTarget(t *testing.T) {
	t.Parallel()
	port := freePorts(t, 1)
	g := startGateway(t, twoUsers+fmt.Sprintf("trunks:\n- {name: provider, host: 127.0.0.1, port: %d, transport: udp}\n", port))
	a := newApp(t)
	h := serveJSON(t, a, map[string]string{
		"/first": `[{"verb":"dial","callerId":"+14155550177","headers":{"X-Dial":"1"},"anchorMedia":true,"exitMediaPath":true,"timeLimit":14,"actionHook":"/done","confirmHook":"/other",
			"amd":{"actionHook":"/amd","thresholdWordCount":5},"target":[{"type":"phone","number":"+14155550123","trunk":"provider","headers":{"X-Target":"2"},"confirmHook":"/confirm"}]}]`,
		"/confirm": `[{"verb":"pause","length":0.5}]`, "/other": `[{"verb":"hangup"}]`, "/amd": "", "/done": `[{"verb":"hangup"}]`,
	})
	// What the caller says comes back from the far end, as if a machine spoke there. A
	// second INVITE, which would take the sound out of the box, would fail SIPp.
	startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: append(make([]int16, rate), speak(t, mailbox)...)})
	far := startSIPp(t, port, 1, carried("X-Dial", "^ *1$", "X-Target", "^ *2$", "From", "14155550177@", "To", "14155550123@")+established+hungUp, "-rtp_echo")
	sid := g.callJSON(201, `{"from":"1","to":{"type":"user","name":"bob"},"call_hook":%q}`, h.base+"/first")["sid"].(string)
	child := h.await("/confirm")["call_sid"]
	if child == sid || child == nil {
		t.Errorf("the confirm hook was asked about %v", child)
	}
	m := h.await("/amd")
	if m["type"] != "amd_machine_detected" || m["event"] != "amd" || m["amd_type"] != "machine" || m["call_sid"] != child || m["reason"] == nil {
		t.Errorf("the machine's hook was told %v", m)
	}
	if d := h.await("/done"); d["dial_call_status"] != "completed" || d["dial_call_sid"] != child {
		t.Errorf("dial told %v", d)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	far.succeeds(ctx)
	g.untilJSON(sid, "completed")
	if n := len(h.told["/other"]); n != 0 {
		t.Error("the dial's own confirmHook was asked in place of the target's")
	}
}
