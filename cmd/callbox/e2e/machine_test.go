//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// beepAfter is a greeting, a pause and a beep of 1,000 Hz.
func beepAfter(greeting []int16) []int16 {
	s := append(slices.Clone(greeting), make([]int16, rate/2)...)
	for i := range rate * 4 / 10 {
		s = append(s, int16(8000*math.Sin(2*math.Pi*1000*float64(i)/rate)))
	}
	return s
}

const mailbox = "You have reached the mailbox of extension two zero one. Nobody can take your call at the moment. Please leave a message after the tone."

// TestPersonAnswers has a person say hello: the application is asked only after
// the verdict, and told it.
func TestPersonAnswers(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	phone := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: speak(t, "Hello, Bob here.")})
	a.doc("/voice", `<Response><Pause length="1"/></Response>`)
	sid := g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}, "MachineDetection": {"Enable"},
		"StatusCallback": {a.URL + "/status"}, "StatusCallbackEvent": {"answered completed"}})
	phone.wait("CALL_ESTABLISHED")
	voice := a.until("/voice", 1)
	if by := voice.form.Get("AnsweredBy"); by != "human" {
		t.Errorf("the application was told AnsweredBy=%q", by)
	}
	if ms := voice.form.Get("MachineDetectionDuration"); len(ms) != 4 { // 1,000 to 9,999 ms
		t.Errorf("MachineDetectionDuration=%q", ms)
	}
	if rec := g.until(sid, "completed"); rec["answered_by"] != "human" {
		t.Errorf("answered_by: %v", rec["answered_by"])
	}
	last := a.until("/status", 2)
	if by := last.form.Get("AnsweredBy"); by != "human" {
		t.Errorf("the last callback says AnsweredBy=%q", by)
	}
}

// TestMessageAfterTheBeep leaves a message on a machine: the whole of it is on
// the machine's tape, behind the beep.
func TestMessageAfterTheBeep(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	greeting := beepAfter(speak(t, mailbox))
	message := speak(t, "This is the branch office. Your parcel can be collected tomorrow between nine and twelve.")
	phone := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: greeting})
	a.wav("/message.wav", message)
	a.doc("/voice", `<Response><Play>/message.wav</Play></Response>`)
	sid := g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}, "MachineDetection": {"DetectMessageEnd"},
		"Record": {"true"}, "RecordingChannels": {"dual"}})
	voice := a.until("/voice", 1)
	if by := voice.form.Get("AnsweredBy"); by != "machine_end_beep" {
		t.Errorf("the application was told AnsweredBy=%q", by)
	}
	g.until(sid, "completed")
	hears(t, "the machine", phone.heard(), message)
	rec, _ := g.recording(sid)
	beep := onset(channel(rec, 1, 2))
	end := onsetOf(channel(rec, 0, 2), greeting[len(greeting)-rate*4/10:]) + rate*4/10
	if beep < end-rate/50 || beep > end+rate {
		t.Errorf("the message begins %d ms after the beep", (beep-end)*1000/rate)
	}
}

// onset is the first sample of a sound.
func onset(s []int16) int {
	for i, v := range s {
		if v > 500 || v < -500 {
			return i
		}
	}
	return len(s)
}

// onsetOf is where w begins in s.
func onsetOf(s, w []int16) int { return bestOffset(s, w, 0, len(s)-len(w)) }

// TestVerdictBesideTheScript asks for the verdict in a callback of its own.
func TestVerdictBesideTheScript(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: beepAfter(speak(t, mailbox))})
	a.doc("/voice", `<Response><Pause length="30"/></Response>`)
	sid := g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}, "MachineDetection": {"Enable"},
		"AsyncAmd": {"true"}, "AsyncAmdStatusCallback": {a.URL + "/amd"}})
	voice := a.until("/voice", 1)
	if voice.form.Has("AnsweredBy") {
		t.Errorf("the application was told %q before the verdict", voice.form.Get("AnsweredBy"))
	}
	amd := a.until("/amd", 1)
	if amd.form.Get("CallSid") != sid || amd.form.Get("AnsweredBy") != "machine_start" || amd.form.Get("MachineDetectionDuration") == "" {
		t.Errorf("callback: %v", amd.form)
	}
	if code, _ := g.post("/Calls/"+sid+".json", url.Values{"Status": {"completed"}}); code != http.StatusOK {
		t.Errorf("hang up: %d", code)
	}
	g.until(sid, "completed")
}

// TestMachineHookTakesOver answers the JSON dialect's event of the beep with
// verbs, which leave the message.
func TestMachineHookTakesOver(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	message := speak(t, "The meeting on Thursday has been moved to half past three in the small room.")
	phone := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: beepAfter(speak(t, mailbox))})
	a.wav("/message.wav", message)
	a.handle("/voice", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `[{"verb":"pause","length":60}]`)
	})
	var mu sync.Mutex
	var types []string
	a.handle("/amd", func(w http.ResponseWriter, r *http.Request) {
		var ev struct {
			Type      string  `json:"type"`
			Frequency float64 `json:"frequency"`
		}
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &ev)
		}
		if err != nil {
			t.Errorf("%s: %v", body, err)
		}
		mu.Lock()
		defer mu.Unlock()
		types = append(types, ev.Type)
		if ev.Type == "amd_tone_detected" {
			if math.Abs(ev.Frequency-1000) > 15 {
				t.Errorf("a beep of %v Hz", ev.Frequency)
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `[{"verb":"play","url":"/message.wav"},{"verb":"hangup"}]`)
		}
	})
	code, body := g.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(`{"from":"14155550100","to":{"type":"user","name":"bob"},
		"call_hook":%q,"amd":{"actionHook":%q}}`, a.URL+"/voice", a.URL+"/amd"))
	if code != http.StatusCreated {
		t.Fatalf("create: %d %v", code, body)
	}
	phone.wait("CALL_CLOSED")
	hears(t, "the machine", phone.heard(), message)
	poll(t, "all events", func() bool { mu.Lock(); defer mu.Unlock(); return len(types) >= 3 })
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(types, " "); got != "amd_machine_detected amd_tone_detected amd_stopped" {
		t.Errorf("events: %s", got)
	}
}

// TestPartialResults asks for interim results, which only one dialect tells of.
func TestPartialResults(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	phone := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: beepAfter(speak(t, mailbox))})
	a.doc("/voice", `<Response><Pause length="20"/></Response>`)
	ask(t, "POST", g.callPath("signalwire")+"/Calls.json", g.project, g.token, url.Values{"To": {"client:bob"}, "From": {"+14155550100"},
		"Url": {a.URL + "/voice"}, "MachineDetection": {"DetectMessageEnd"}, "AsyncAmd": {"true"}, "AsyncAmdPartialResults": {"true"},
		"AsyncAmdStatusCallback": {a.URL + "/amd"}, "StatusCallback": {a.URL + "/status"}}.Encode())
	first, last := a.until("/amd", 1), a.until("/amd", 2)
	if by := first.form.Get("AnsweredBy") + " " + last.form.Get("AnsweredBy"); by != "machine_start machine_end_beep" {
		t.Errorf("results: %s", by)
	}
	phone.do("hangup", "")
	if end := a.until("/status", 1); end.form.Get("AnsweredBy") != "machine_end_beep" {
		t.Errorf("the last callback: %v", end.form)
	}
}

// TestVoicemailDetector asks for a switch without settings, whose verdict comes
// with the status callbacks.
func TestVoicemailDetector(t *testing.T) {
	t.Parallel()
	for verdict, says := range map[string]string{"voicemail": mailbox, "person_found": "Hello, Bob speaking."} {
		t.Run(verdict, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, twoUsers)
			a := newApp(t)
			phone := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: speak(t, says)})
			a.doc("/voice", `<Response><Pause length="20"/></Response>`)
			ask(t, "POST", g.callPath("restcomm")+"/Calls.json", g.account, g.token, url.Values{"To": {"client:bob"}, "From": {"+14155550100"},
				"Url": {a.URL + "/voice"}, "DetectVoicemail": {"true"}, "StatusCallback": {a.URL + "/status"}, "StatusCallbackEvent": {"answered"}}.Encode())
			detected := func() bool {
				return slices.ContainsFunc(a.requests("/status"), func(r asked) bool { return r.form.Get("VoicemailDetector") == verdict })
			}
			poll(t, "the verdict", detected)
			phone.do("hangup", "")
		})
	}
}
