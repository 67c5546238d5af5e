//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// order tells a program over websockets what to do.
func (a *hookApp) order(line string) {
	a.t.Helper()
	if _, err := fmt.Fprintln(a.orders, line); err != nil {
		a.t.Fatal(err)
	}
}

// told waits for the n-th message about which ok is true, at path.
func (a *hookApp) told(path string, n int, ok func(map[string]any) bool) map[string]any {
	a.t.Helper()
	var found map[string]any
	poll(a.t, fmt.Sprintf("message %d of %s", n, path), func() bool {
		left := n
		for _, h := range a.requests(path) {
			if ok == nil || ok(h.Body) {
				if left--; left == 0 {
					found = h.Body
				}
			}
		}
		return found != nil
	})
	return found
}

// createSocket places a call to a user of the box whose application has a
// websocket.
func (g *gateway) createSocket(user, hook string) string {
	g.t.Helper()
	code, body := g.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(
		`{"from":"16175551212","to":{"type":"user","name":%q},"call_hook":{"url":%q,"username":"app","password":"a1p2p3"},"tag":{"order":17}}`, user, hook))
	if code != http.StatusCreated {
		g.t.Fatalf("create: %d %v", code, body)
	}
	return body["sid"].(string)
}

// socketCall is a call of bob's phone that the application of the vendor's newer
// library runs.
func socketCall(t *testing.T, config string) (*gateway, *hookApp, *baresip, string, [2][]int16) {
	t.Helper()
	g := startGateway(t, config)
	question := speak(t, "Good morning. Please press one two three four on your telephone.")
	farewell := speak(t, "Thank you very much for your call, and have a pleasant evening.")
	sounds := newApp(t)
	a := startProgram(t, "clients-jambonz", "ws.mjs", "SECRET="+g.webhookSecret(), "OTHER=alice",
		"PROMPT="+sounds.wav("/question.wav", question), "FAREWELL="+sounds.wav("/farewell.wav", farewell))
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	sdk, _, _ := strings.Cut(a.url, " ")
	sid := g.createSocket("bob", sdk+"/sdk")
	bob.wait("CALL_ESTABLISHED")
	if m := a.told("session:new", 1, nil); m["call_sid"] != sid || m["defaults"] == nil || m["direction"] != "outbound" {
		t.Errorf("session:new: %v", m)
	}
	if r := a.requests("session:new")[0]; r.Query != "Basic YXBwOmExcDJwMw==" {
		t.Errorf("the handshake's credentials: %q", r.Query)
	}
	return g, a, bob, sid, [2][]int16{question, farewell}
}

// TestSocketApplication: the application answers hooks, sends verbs of its own,
// sees every status and verb, and ends the call.
func TestSocketApplication(t *testing.T) {
	t.Parallel()
	voice := speak(t, "This is the voice that reads what an application writes.")
	vendor := newSpeechVendor(t, voice)
	g, a, bob, sid, says := socketCall(t, twoUsers+vendor.config())
	pauseFor(time.Duration(len(says[0]))*time.Second/rate + time.Second)
	bob.press("1234")
	if d := a.told("/digits", 1, nil); d["reason"] != "dtmfDetected" || d["digits"] != "1234" || d["call_sid"] != sid {
		t.Errorf("gather told %v", d)
	}
	for _, want := range "59" {
		if ev := bob.wait("CALL_DTMF_START"); ev.Param != string(want) {
			t.Errorf("digit to the phone: %q, want %q", ev.Param, want)
		}
	}
	for _, event := range []string{"starting", "finished"} {
		a.told("verb:status", 1, func(m map[string]any) bool { return m["event"] == event && m["name"] == "dtmf" })
	}
	// The verbs have run out, and the call stays up until the application speaks.
	a.order("tag")
	poll(t, "the tag", func() bool {
		_, c := g.askJSON(http.MethodGet, "/Calls/"+sid, "")
		data, _ := c["customerData"].(map[string]any)
		return data["order"] == 18.0 && c["call_status"] == "in-progress"
	})
	a.order("odd")
	a.told("jambonz:error", 1, func(m map[string]any) bool { return strings.Contains(m["msg"].(string), `"fly" is not a command`) })
	a.order("bad")
	a.told("jambonz:error", 1, func(m map[string]any) bool { return strings.Contains(m["msg"].(string), `"fly" is not a verb`) })
	a.order("tokens")
	a.told("tokens", 1, nil) // all were taken
	a.told("tts:stream_open", 1, nil)
	a.told("verb:status", 1, func(m map[string]any) bool { return m["event"] == "finished" && m["name"] == "say" })
	a.order("hold")
	a.told("verb:status", 1, func(m map[string]any) bool { return m["event"] == "starting" && m["name"] == "pause" })
	a.order("queue") // behind the pause
	a.order("hold")  // in place of both
	a.told("verb:status", 2, func(m map[string]any) bool { return m["event"] == "starting" && m["name"] == "pause" })
	a.order("play")
	a.told("verb:status", 1, func(m map[string]any) bool { return m["event"] == "finished" && m["name"] == "play" })
	a.order("hangup")
	done := a.told("call:status", 1, func(m map[string]any) bool { return m["call_status"] == "completed" })
	if done["call_termination_by"] != "jambonz" || done["call_sid"] != sid {
		t.Errorf("the last status: %v", done)
	}
	if c := a.told("close", 1, nil); c["code"] != 1000.0 {
		t.Errorf("the connection ended with %v", c)
	}
	heard := bob.heard()
	hears(t, "the phone", heard, says[0])
	hears(t, "the phone", heard, says[1])
	hears(t, "the phone", heard, voice)
	if want := []string{"Your parcel has arrived this morning.", "The store is open until six in the evening."}; !slices.Equal(vendor.texts(), want) {
		t.Errorf("the vendor spoke %q, want %q", vendor.texts(), want)
	}
	a.verified()
}

// TestSocketSpeechStops: text that is spoken while it is written stops when the
// application clears it, and when the caller interrupts it; what follows is not
// spoken, and new text is.
func TestSocketSpeechStops(t *testing.T) {
	t.Parallel()
	first := speak(t, "The kettle is on, and it will be boiling in about four minutes from now.")
	second, third := speak(t, "The cups are in the cupboard.", "-p", "70"), speak(t, "Nobody wants any sugar, I think.", "-p", "30")
	later := speak(t, "Your parcel has arrived, and the store is open.", "-v", "en-us")
	vendor := newSpeechVendor(t, later)
	vendor.voices = map[string][]int16{"Number one, the kettle is on.": first, "Number two, the cups are in the cupboard.": second, "Number three, nobody wants any sugar.": third}
	g, a, bob, _, says := socketCall(t, twoUsers+vendor.config())
	pauseFor(time.Duration(len(says[0]))*time.Second/rate + time.Second)
	bob.press("1234")
	a.told("/digits", 1, nil)
	a.told("verb:status", 1, func(m map[string]any) bool { return m["event"] == "finished" && m["name"] == "dtmf" })
	said := func(n int) {
		t.Helper()
		a.told("verb:status", n, func(m map[string]any) bool { return m["event"] == "finished" && m["name"] == "say" })
	}
	a.order("monologue")
	a.told("monologue", 1, nil)
	poll(t, "the first sentence is spoken", func() bool { return len(vendor.texts()) > 0 })
	pauseFor(2 * time.Second)
	a.order("clear")
	said(1)
	a.order("tokens")
	a.told("tokens", 1, nil)
	said(2)
	a.order("barge")
	a.order("monologue")
	a.told("monologue", 2, nil)
	a.told("verb:status", 3, func(m map[string]any) bool { return m["event"] == "starting" && m["name"] == "say" })
	pauseFor(2 * time.Second)
	bob.press("5")
	a.told("tts:user_interruption", 1, nil)
	if m := a.told("/barged", 1, nil); m["digits"] != "5" || m["reason"] != "dtmfDetected" {
		t.Errorf("the hook was told %v", m)
	}
	a.order("hangup")
	bob.wait("CALL_CLOSED")
	heard := bob.heard()
	hears(t, "the phone, after the clear", heard, later)
	deaf(t, "the phone", heard, second)
	deaf(t, "the phone", heard, third)
	if c := similarity(heard, first[:6*rate/5]); c < 0.9 {
		t.Errorf("the phone did not hear the first sentence begin: similarity %.3f", c)
	}
	poll(t, "nothing is left", func() bool { return g.metrics()["callbox_calls"] == 0 })
}

// TestSocketReconnect: a lost connection is made again while the call goes on.
func TestSocketReconnect(t *testing.T) {
	t.Parallel()
	_, a, bob, sid, says := socketCall(t, twoUsers)
	sounds := time.Duration(len(says[0])) * time.Second / rate
	a.order("drop")
	if m := a.told("session:new", 2, nil); m["call_sid"] != sid || m["defaults"] == nil {
		t.Errorf("session:reconnect: %v", m)
	}
	pauseFor(sounds + time.Second)
	bob.press("1234")
	if d := a.told("/digits", 1, nil); d["digits"] != "1234" {
		t.Errorf("gather told %v", d)
	}
	a.order("leave") // a normal end: the call goes on to the end of its verbs
	bob.wait("CALL_CLOSED")
	hears(t, "the phone", bob.heard(), says[0])
	if n := len(a.requests("session:new")); n != 2 {
		t.Errorf("%d sessions", n)
	}
}

// TestSocketDial: the callee hears the document that the application gives for
// it, the statuses of both calls arrive, and the caller's script goes on.
func TestSocketDial(t *testing.T) {
	t.Parallel()
	g, a, bob, sid, says := socketCall(t, twoUsers)
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto"})
	a.order("dial")
	alice.wait("CALL_ESTABLISHED")
	child, _ := a.told("/confirm", 1, nil)["call_sid"].(string)
	if child == "" || child == sid {
		t.Errorf("the confirm hook was asked about %q", child)
	}
	a.told("call:status", 1, func(m map[string]any) bool {
		return m["call_sid"] == child && m["call_status"] == "in-progress" && m["parent_call_sid"] == sid
	})
	pauseFor(time.Duration(len(says[0]))*time.Second/rate + 2*time.Second)
	alice.do("hangup", "")
	if d := a.told("/dialled", 1, nil); d["dial_call_status"] != "completed" || d["dial_call_sid"] != child {
		t.Errorf("dial told %v", d)
	}
	bob.wait("CALL_CLOSED")
	hears(t, "the callee", alice.heard(), says[0])
	hears(t, "the caller", bob.heard(), says[1])
}

// TestSocketOld: the same with the vendor's older library.
func TestSocketOld(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	question, farewell := speak(t, "Please press two keys now, whichever you like."), speak(t, "These were two keys, thank you and good bye.")
	sounds := newApp(t)
	a := startProgram(t, "clients-jambonz", "ws.mjs", "SECRET=", "OTHER=",
		"PROMPT="+sounds.wav("/question.wav", question), "FAREWELL="+sounds.wav("/farewell.wav", farewell))
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	_, old, _ := strings.Cut(a.url, " ")
	sid := g.createSocket("bob", old+"/old")
	bob.wait("CALL_ESTABLISHED")
	if m := a.told("old session:new", 1, nil); m["sid"] != sid {
		t.Errorf("session:new: %v", m)
	}
	pauseFor(time.Duration(len(question))*time.Second/rate + time.Second)
	bob.press("42")
	if d := a.told("old /old-digits", 1, nil); d["digits"] != "42" {
		t.Errorf("gather told %v", d)
	}
	a.told("old call:status", 1, func(m map[string]any) bool { return m["call_status"] == "completed" })
	heard := bob.heard()
	hears(t, "the phone", heard, question)
	hears(t, "the phone", heard, farewell)
}
