//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// sidOf reads the sid of an answer.
func sidOf(t *testing.T, r io.Reader) string {
	t.Helper()
	var answer struct{ Sid string }
	if err := json.NewDecoder(r).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer.Sid
}

// asked401 is SIPp's challenge of an INVITE that was taken, and its proof.
var asked401 = strings.TrimPrefix(challenged, recv("INVITE"))

// TestDialSip: a Dial calls a SIP address with its transport, headers and
// credentials.
func TestDialSip(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g := startGateway(t, twoUsers)
	port := freePorts(t, 1)
	far := startSIPp(t, port, 1, carried("X-Order", "^ *17$", "X-Note", "^ *two words$")+asked401+established+hungUp, "-rtp_echo")
	a.doc("/voice", fmt.Sprintf(`<Response><Dial timeLimit="1" action="/done"><Sip username="box" password="s3cret9">sip:carol@127.0.0.1:%d;transport=udp?X-Order=17&amp;X-Note=two%%20words</Sip></Dial></Response>`, port))
	a.doc("/done", `<Response><Hangup/></Response>`)
	startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	sid := g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	if f := a.until("/done", 1).form; f.Get("DialCallStatus") != "completed" || f.Get("DialSipResponseCode") != "200" || f.Get("DialSipCallId") == "" {
		t.Errorf("the Dial told %v", f)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	far.succeeds(ctx)
	g.until(sid, "completed")
}

// TestDialNumberAttributes: the keys of a Number reach the callee, its machine is
// told of beside the connection, and the recording holds the track that was asked for.
func TestDialNumberAttributes(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g := startGateway(t, strings.Replace(twoUsers, "name: alice", "name: alice\n  number: \"201\"", 1))
	greeting := speak(t, mailbox)
	question := speak(t, "Is this the mailbox that I wanted to reach this morning?", "-v", "en-us")
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto", says: beepAfter(greeting)})
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: append(make([]int16, 4*rate), twice(question)...)})
	a.doc("/voice", `<Response><Dial record="record-from-answer" recordingTrack="inbound" timeLimit="14" action="/done">
		<Number sendDigits="w12#" machineDetection="Enable" machineDetectionTimeout="20" amdStatusCallback="/amd" amdStatusCallbackMethod="GET">201</Number></Dial></Response>`)
	a.doc("/done", `<Response><Hangup/></Response>`)
	sid := g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	for _, want := range "12#" {
		if ev := alice.wait("CALL_DTMF_START"); ev.Param != string(want) {
			t.Errorf("digit to the phone: %q, want %q", ev.Param, want)
		}
	}
	amd := a.until("/amd", 1)
	if amd.method != http.MethodGet || amd.form.Get("AnsweredBy") != "machine_start" || amd.form.Get("CallSid") == sid || amd.form.Get("MachineDetectionDuration") == "" {
		t.Errorf("the machine's callback: %s %v", amd.method, amd.form)
	}
	if f := a.until("/done", 1).form; f.Get("DialCallStatus") != "completed" || f.Get("RecordingUrl") == "" || f.Get("DialCallSid") != amd.form.Get("CallSid") {
		t.Errorf("the Dial told %v", f)
	}
	bob.wait("CALL_CLOSED")
	sound, channels := g.recording(sid)
	if channels != 1 {
		t.Errorf("%d channels", channels)
	}
	hearsOnce(t, "the recording of the caller", sound, question)
	deaf(t, "the recording of the caller", sound, greeting)
}

// TestLeaveAndSiprec: who waits in a queue leaves it by its waiting document, the
// action is told so, and what the box does not do is a warning with the API's code.
func TestLeaveAndSiprec(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g := startGateway(t, twoUsers)
	a.doc("/voice", `<Response><Enqueue waitUrl="/wait" action="/left">support</Enqueue><Pause length="60"/></Response>`)
	a.doc("/wait", `<Response><Pause length="1"/><Leave/></Response>`)
	a.doc("/left", `<Response><Start><Siprec name="tape"/></Start><Frobnicate/><Pause length="60"/></Response>`)
	startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	sid := g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	if f := a.until("/left", 1).form; f.Get("QueueResult") != "leave" || f.Get("QueueSid") == "" || f.Get("QueueTime") == "" {
		t.Errorf("the Enqueue told %v", f)
	}
	var says []string
	poll(t, "both warnings", func() bool {
		_, body := g.get("/Calls/" + sid + "/Notifications.json")
		says = nil
		for _, n := range body["notifications"].([]any) {
			says = append(says, fmt.Sprint(object(n)["error_code"], " ", object(n)["message_text"]))
		}
		return len(says) >= 2
	})
	for i, want := range []string{"Siprec", "Frobnicate"} {
		if !strings.Contains(says[i], want) || strings.HasPrefix(says[i], "0 ") {
			t.Errorf("warning %d: %s", i, says[i])
		}
	}
	g.post("/Calls/"+sid+".json", url.Values{"Status": {"completed"}})
	g.until(sid, "completed")
}

// TestTargetSip: a target of the JSON dialect is called through its proxy, with the
// To, the From host, the headers and the credentials that the request names.
func TestTargetSip(t *testing.T) {
	t.Parallel()
	a := newRestApp(t)
	g := startGateway(t, "")
	a.verbs("/voice", `[{"verb":"pause","length":0.5},{"verb":"hangup"}]`)
	a.verbs("/status", "")
	port := freePorts(t, 1)
	far := startSIPp(t, port, 1, carried("To", "sip:reception@biloxi.example", "From", "@office.example", "X-Order", "^ *17$")+asked401+established+hungUp, "-rtp_echo")
	sid := g.callJSON(201, `{"from":"+14155550122","fromHost":"office.example","headers":{"X-Order":"17"},"call_hook":%q,"call_status_hook":%q,
		"to":{"type":"sip","sipUri":"sip:carol@elsewhere.example","proxy":"sip:127.0.0.1:%d","overrideTo":"sip:reception@biloxi.example","auth":{"username":"box","password":"s3cret9"}}}`,
		a.URL+"/voice", a.URL+"/status", port)["sid"].(string)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	far.succeeds(ctx)
	g.untilJSON(sid, "completed")
}

// TestCallSpeech: what a request says of speech holds for the verbs of its call, and
// is told to the application; a stream and a transcription are paused and resumed by
// request; dub plays beside the verbs, and stops.
func TestCallSpeech(t *testing.T) {
	t.Parallel()
	voice := speak(t, "This is said in the voice that the request named.")
	music := speak(t, "La la la, this track is played beside the others.", "-p", "30")
	v := newSpeechVendor(t, voice)
	g := startGateway(t, twoUsers+v.config())
	said := map[int][]int16{1: speak(t, "Nothing of this is carried anywhere.", "-v", "en-us"), 3: speak(t, "The weather is fine this morning.", "-v", "en-us")}
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: timeline(t, said)})
	l, heard := startListener(t)
	a := newJSONApp(t)
	a.wav("/music.wav", music)
	a.verbs("/status", ``)
	a.verbs("/heard", ``)
	a.verbs("/voice", fmt.Sprintf(`[{"verb":"dub","action":"addTrack","track":"band","play":"/music.wav"},{"verb":"say","text":"in that voice"},
		{"verb":"dub","action":"silenceTrack","track":"band"},{"verb":"transcribe","transcriptionHook":"/heard","channel":1},{"verb":"stream","url":%q,"sampleRate":8000}]`, l.url))
	sid := g.callJSON(201, `{"from":"16175551212","to":{"type":"user","name":"bob"},"call_hook":%q,"call_status_hook":%q,"speech_synthesis_vendor":"parrot","speech_synthesis_language":"fr-FR",
		"speech_synthesis_voice":"polly","speech_recognizer_vendor":"parrot","speech_recognizer_language":"de-DE"}`, a.URL+"/voice", a.URL+"/status")["sid"].(string)
	bob.wait("CALL_ESTABLISHED")
	began := time.Now()
	if d := fmt.Sprint(a.nth("/voice", 1)["defaults"]); !strings.Contains(d, "polly") || !strings.Contains(d, "fr-FR") || !strings.Contains(d, "de-DE") {
		t.Errorf("the application was told of %s", d)
	}
	l.told("connection", 1, nil)
	for _, body := range []string{`{"stream_status":"pause"}`, `{"transcribe_status":"pause"}`} {
		g.wants(http.StatusAccepted, http.MethodPut, "/Calls/"+sid, body)
	}
	if time.Since(began) > slotLength*time.Second {
		t.Fatal("the machine was too slow to pause before the phone spoke")
	}
	slots(began, 2.2)
	for _, body := range []string{`{"listen_status":"resume"}`, `{"transcribe_status":"resume"}`} {
		g.wants(http.StatusAccepted, http.MethodPut, "/Calls/"+sid, body)
	}
	slots(began, 4.4)
	if s := object(a.nth("/heard", 1)["speech"]); s["is_final"] != true || s["channel_tag"] != 1.0 {
		t.Errorf("the transcription: %v", s)
	}
	g.wants(http.StatusAccepted, http.MethodPut, "/Calls/"+sid, `{"call_status":"completed"}`)
	l.told("close", 1, nil)
	bob.wait("CALL_CLOSED")
	for who, sound := range map[string][]int16{"the application": readRaw(t, heard, rate, 1)[0], "the vendor": v.sound(0)} {
		deaf(t, who, sound, said[1])
		hearsOnce(t, who, sound, said[3])
	}
	if len(v.asked) != 1 || v.asked[0]["voice"] != "polly" || v.asked[0]["language"] != "fr-FR" || v.starts[0]["language"] != "de-DE" {
		t.Errorf("the vendor was asked %v and %v", v.asked, v.starts)
	}
	if got := bob.heard(); similarity(got, voice) < 0.5 || similarity(got, music[:rate]) < 0.4 {
		t.Errorf("the phone does not hear both: the voice %.2f, the track %.2f", similarity(got, voice), similarity(got, music[:rate]))
	}
}

// TestMachineWords: the bounds that a request sets decide, and the verdict comes by
// the method that it names.
func TestMachineWords(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: speak(t, "Good morning to everybody out there, here is Bob.")})
	a.doc("/voice", `<Response><Pause length="30"/></Response>`)
	for words, want := range map[string]string{"2": "machine_start", "100": "human"} {
		path := "/amd" + words
		status, body := g.asProject(http.MethodPost, "/Calls.json", url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}, "MachineDetection": {"Enable"},
			"MachineWordsThreshold": {words}, "MachineDetectionSpeechThreshold": {"6000"}, "MachineDetectionSpeechEndThreshold": {"2000"}, "MachineDetectionTimeout": {"40"},
			"AsyncAmd": {"true"}, "AsyncAmdStatusCallback": {a.URL + path}, "AsyncAmdStatusCallbackMethod": {"GET"}})
		if status/100 != 2 {
			t.Fatalf("create: %d %v", status, body)
		}
		sid := body["sid"].(string)
		if r := a.until(path, 1); r.method != http.MethodGet || r.form.Get("CallSid") != sid || r.form.Get("AnsweredBy") != want {
			t.Errorf("with %s words: %s %v, want %s", words, r.method, r.form, want)
		}
		g.asProject(http.MethodPost, "/Calls/"+sid+".json", url.Values{"Status": {"completed"}})
		poll(t, "the call is over", func() bool { return g.metrics()["callbox_calls"] == 0 })
	}
}
