//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
// in a status callback of its own, without a number, and in the last one.
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
				"Url": {a.URL + "/voice"}, "DetectVoicemail": {"true"}, "StatusCallback": {a.URL + "/status"},
				"StatusCallbackEvent": {"initiated,ringing,answered,completed"}}.Encode())
			detected := func() bool {
				return slices.ContainsFunc(a.requests("/status"), func(r asked) bool { return r.form.Get("VoicemailDetector") == verdict })
			}
			poll(t, "the verdict", detected)
			phone.do("hangup", "")
			for i, want := range []string{"initiated 0 ", "ringing 1 ", "in-progress 2 ", "in-progress  " + verdict, "completed 3 " + verdict} {
				f := a.until("/status", i+1).form
				if got := f.Get("CallStatus") + " " + f.Get("SequenceNumber") + " " + f.Get("VoicemailDetector"); got != want {
					t.Errorf("message %d: %q, want %q", i, got, want)
				}
			}
		})
	}
}

// TestFormClientsSeeTheMachine: the vendors' clients of the form APIs are told of a
// machine in every place that they look at, and their validators accept the callbacks.
func TestFormClientsSeeTheMachine(t *testing.T) {
	t.Parallel()
	for vendor, field := range map[string]string{"twilio": "machine_end_beep", "signalwire": "machine"} {
		sequence := "initiated ringing in-progress completed"
		if vendor == "signalwire" {
			sequence = "initiated ringing answered in-progress completed"
		}
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, twoUsers)
			env := g.vendorEnv(vendor, false)
			a := startHookApp(t, "clients-laml", append(env, "PROMPT=", "OTHER=")...)
			says := beepAfter(speak(t, mailbox))
			startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: says})
			got := runClient(t, "clients-laml", append(env, "APP="+a.url, "PHONE=client:bob", fmt.Sprintf("TALK=%d", len(says)*1000/rate+3000)), "machine")
			for _, name := range []string{"waiting", "beside"} {
				if by := object(got[name])["answeredBy"]; by != field {
					t.Errorf("%s: answeredBy %v, want %s", name, by, field)
				}
			}
			for _, path := range []string{"/short", "/amd"} {
				if r := a.until(path, 1); r.Body["AnsweredBy"] != "machine_end_beep" || r.Body["MachineDetectionDuration"] == "" {
					t.Errorf("%s was told %v", path, r.Body)
				}
			}
			if r := a.until("/hold", 1); r.Body["AnsweredBy"] != nil {
				t.Errorf("the document beside the detection was asked for with %v", r.Body)
			}
			calls := list(got["sids"])
			if len(calls) != 2 {
				t.Fatalf("calls: %v", got["sids"])
			}
			for _, sid := range calls {
				poll(t, "the last status", func() bool { return slices.Contains(a.statuses(sid), "completed") })
				if s := strings.Join(a.statuses(sid), " "); s != sequence {
					t.Errorf("statuses: %s, want %s", s, sequence)
				}
			}
			checkVerdictLast(t, a.requests("/status"))
			a.verified()
		})
	}
}

// checkVerdictLast: the callbacks of a call are numbered from 0, and the last one
// tells the verdict, those before the answer do not.
func checkVerdictLast(t *testing.T, callbacks []heardHook) {
	t.Helper()
	count := map[string]int{}
	for _, h := range callbacks {
		sid, status := text(h.Body["CallSid"]), text(h.Body["CallStatus"])
		if n := h.Body["SequenceNumber"]; n != strconv.Itoa(count[sid]) {
			t.Errorf("callback %d of %s has the number %v", count[sid], sid, n)
		}
		count[sid]++
		by := h.Body["AnsweredBy"]
		if status == "completed" && by != "machine_end_beep" || (status == "initiated" || status == "ringing") && by != nil {
			t.Errorf("%s: AnsweredBy %v", status, by)
		}
	}
}

// TestJambonzClientsSeeTheMachine: the vendor's clients ask for the detection, and the
// application verifies its events and ends the call at the beep.
func TestJambonzClientsSeeTheMachine(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := startHookApp(t, "clients-jambonz", "SECRET="+g.webhookSecret(), "PROMPT=", "OTHER=")
	startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: beepAfter(speak(t, mailbox))})
	got := runClient(t, "clients-jambonz", []string{"BASE=" + g.api, "ACCOUNT=" + g.account, "KEY=" + g.token, "TO=bob",
		"HOOK=" + a.url + "/hold", "STATUS=" + a.url + "/status", "AMD=" + a.url + "/amd"}, "machine")
	for _, sid := range list(got["sids"]) {
		types := func() string {
			var out []string
			for _, h := range a.requests("/amd") {
				if h.Body["call_sid"] == sid {
					out = append(out, text(h.Body["type"]))
				}
			}
			return strings.Join(out, " ")
		}
		poll(t, "the last event", func() bool { return strings.HasSuffix(types(), "amd_stopped") })
		if got := types(); got != "amd_machine_detected amd_tone_detected amd_stopped" {
			t.Errorf("events: %s", got)
		}
		poll(t, "the last status", func() bool { return slices.Contains(a.statuses(sid), "completed") })
		if s := strings.Join(a.statuses(sid), " "); s != "trying ringing in-progress completed" {
			t.Errorf("statuses: %s", s)
		}
	}
	a.verified()
}

// TestRecordingsAreJudged feeds recordings and their labels to the command that judges
// files: verdicts, times, features and a timeline of each, how often it was right, and
// thresholds that suit them; thresholds keep their meaning.
func TestRecordingsAreJudged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	labels := "file,label\n"
	for name, says := range map[string]struct {
		text, label string
		beep        bool
	}{
		"hello": {"Hello?", "person", false}, "name": {"Bob speaking.", "person", false},
		"mailbox": {mailbox, "machine", true}, "office": {"Thank you for calling. Our office is closed today. Please call again tomorrow after nine.", "machine", false},
	} {
		s := append(make([]int16, rate/2), speak(t, says.text)...)
		if says.beep {
			s = beepAfter(s)
		}
		writeWAV(t, filepath.Join(dir, name+".wav"), s)
		labels += name + ".wav," + says.label + "\n"
	}
	csv := filepath.Join(dir, "labels.csv")
	if err := os.WriteFile(csv, []byte(labels), 0o600); err != nil {
		t.Fatal(err)
	}
	out := command(t, callbox(t), "amd", "--labels", csv, "--message-end", "--svg", dir)
	for _, want := range []string{"human after", "machine_end_beep after", "machine_end_silence after", "a beep of 1000 Hz", "% sure", "above noise dB", "#####", "TTT",
		"4 of 4 right (100.0 %)", "MachineDetectionSpeechThreshold=", "4 of 4 people and machines right, 0 of 2 people called machines"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	svg, err := os.ReadFile(filepath.Join(dir, "mailbox.svg"))
	if err != nil || !strings.Contains(string(svg), "machine_end_beep after") {
		t.Errorf("the drawing: %v, %.200s", err, svg)
	}
	var got []struct {
		Verdict    string
		At         float64 `json:"at_seconds"`
		Confidence float64
		Features   map[string]float64
		Timeline   string
	}
	hello := filepath.Join(dir, "hello.wav")
	for threshold, want := range map[string]string{"6s": "human", "200ms": "machine_start"} {
		out := command(t, callbox(t), "amd", hello, "-o", "json", "--speech-threshold", threshold, "--speech-end-threshold", "1s")
		if err := json.Unmarshal([]byte(out), &got); err != nil || len(got) != 1 || got[0].Verdict != want || got[0].At == 0 || len(got[0].Features) == 0 || got[0].Timeline == "" {
			t.Errorf("with a threshold of %s: %v, %+v", threshold, err, got)
		}
	}
}

// TestDetectionOfALiveCall asks for the detection with an update of a call that is up.
func TestDetectionOfALiveCall(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	serveVerbs(a, "/voice", `[{"verb":"pause","length":60}]`)
	h := serveJSON(t, a, map[string]string{"/amd": `[]`})
	phone := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto",
		says: append(make([]int16, 3*rate), beepAfter(speak(t, mailbox))...)})
	code, body := g.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(`{"from":"14155550100","to":{"type":"user","name":"bob"},"call_hook":%q}`, a.URL+"/voice"))
	if code != http.StatusCreated {
		t.Fatalf("create: %d %v", code, body)
	}
	phone.wait("CALL_ESTABLISHED")
	a.until("/voice", 1)
	g.wants(202, http.MethodPut, "/Calls/"+body["sid"].(string), fmt.Sprintf(`{"amd":{"actionHook":%q}}`, h.base+"/amd"))
	if ev := h.await("/amd"); ev["type"] != "amd_machine_detected" {
		t.Errorf("the first event: %v", ev)
	}
	phone.do("hangup", "")
	phone.wait("CALL_CLOSED")
}
