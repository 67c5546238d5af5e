//go:build e2e

package e2e

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	twilioclient "github.com/twilio/twilio-go/client"
	openapi "github.com/twilio/twilio-go/rest/api/v2010"
)

const twoUsers = `
users:
- name: alice
  password: a1l2i3c4e5
- name: bob
  password: b1o2b3b4o5
`

func ptr[T any](v T) *T { return &v }

// TestTwilioClientCallsBaresip is the product's promise in one test: the
// vendor's client asks, a real phone rings, both sides hear each other, digits
// go both ways, callbacks and a recording remain.
func TestTwilioClientCallsBaresip(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	question := speak(t, "Good morning. Please say your name and press one two three four.")
	answer := speak(t, "Hello, my name is Bob, and I live near the river in the old mill house.", "-v", "en-us")
	phone := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: answer})
	a.wav("/question.wav", question)
	a.doc("/voice", `<Response><Gather numDigits="4" timeout="20" action="/digits"><Play>/question.wav</Play></Gather><Hangup/></Response>`)
	a.doc("/digits", `<Response><Play digits="59#"/><Pause length="1"/></Response>`)

	params := &openapi.CreateCallParams{}
	params.SetTo("client:bob")
	params.SetFrom("+14155550100")
	params.SetUrl(a.URL + "/voice")
	params.SetRecord(true)
	params.SetRecordingChannels("dual")
	params.SetTrim("do-not-trim")
	params.SetStatusCallback(a.URL + "/status")
	params.SetStatusCallbackEvent([]string{"initiated", "ringing", "answered", "completed"})
	params.SetRecordingStatusCallback(a.URL + "/recording")
	made, err := g.twilio().Api.CreateCall(params)
	if err != nil {
		t.Fatal(err)
	}
	if made.Sid == nil || !strings.HasPrefix(*made.Sid, "CA") || *made.Status != "queued" {
		t.Fatalf("create call: %+v", made)
	}
	sid := *made.Sid
	phone.wait("CALL_ESTABLISHED")
	a.until("/question.wav", 1)
	pauseFor(time.Duration(len(question))*time.Second/rate + time.Second)
	phone.press("1234")
	got := a.until("/digits", 1)
	if d := got.form.Get("Digits"); d != "1234" {
		t.Errorf("digits from the phone: %q", d)
	}
	for _, want := range "59#" {
		if ev := phone.wait("CALL_DTMF_START"); ev.Param != string(want) {
			t.Errorf("digit to the phone: %q, want %q", ev.Param, want)
		}
	}
	g.until(sid, "completed")

	hears(t, "the phone", phone.heard(), question)
	rec, channels := g.recording(sid)
	if channels != 2 {
		t.Fatalf("the recording has %d channels, want 2", channels)
	}
	hears(t, "the recording's channel of the phone", channel(rec, 0, 2), answer)
	hears(t, "the recording's channel of the box", channel(rec, 1, 2), question)

	poll(t, "the last callback", func() bool { return len(a.requests("/status")) >= 4 })
	if s := strings.Join(a.statuses("/status"), " "); s != "initiated ringing in-progress completed" {
		t.Errorf("callbacks: %s", s)
	}
	v := twilioclient.NewRequestValidator(g.token)
	for i, r := range a.requests("/status") {
		if want := string(rune('0' + i)); r.form.Get("SequenceNumber") != want {
			t.Errorf("callback %d has SequenceNumber %s", i, r.form.Get("SequenceNumber"))
		}
		if !v.Validate(a.URL+"/status", flat(r.form), r.header.Get("X-Twilio-Signature")) {
			t.Errorf("callback %d: the vendor's validator refuses the signature", i)
		}
	}
	a.until("/recording", 1)

	page, err := g.twilio().Api.ListCall(&openapi.ListCallParams{Status: ptr("completed")})
	if err != nil || len(page) != 1 || *page[0].Sid != sid || page[0].Duration == nil {
		t.Errorf("list: %v, %v", page, err)
	}
}

func flat(f url.Values) map[string]string {
	out := map[string]string{}
	for k := range f {
		out[k] = f.Get(k)
	}
	return out
}

// pauseFor lets real time pass: a sentence is being played to a real phone.
func pauseFor(d time.Duration) { <-time.After(d) }

// TestBaresipToBaresip lets one phone call another by its name: no application,
// the box connects them, and the sound goes both ways.
func TestBaresipToBaresip(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	fromAlice := speak(t, "This is Alice. The meeting has been moved to four o'clock this afternoon.")
	fromBob := speak(t, "Bob speaking. I will bring the blue folder and the spare keys.", "-v", "en-us")
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: fromBob})
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "manual", says: fromAlice, transport: "tcp"})
	alice.do("dial", "sip:bob@"+g.sip)
	alice.wait("CALL_ESTABLISHED")
	bob.wait("CALL_ESTABLISHED")
	pauseFor(7 * time.Second)
	alice.press("7")
	if ev := bob.wait("CALL_DTMF_START"); ev.Param != "7" {
		t.Errorf("digit through the bridge: %q", ev.Param)
	}
	alice.do("hangup", "")
	bob.wait("CALL_CLOSED")
	hears(t, "bob", bob.heard(), fromAlice)
	hears(t, "alice", alice.heard(), fromBob)
}

// TestDialClient bridges two baresips by TwiML and records both sides.
func TestDialClient(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	fromAlice := speak(t, "This is Alice. The garden gate was left open during the night.")
	fromBob := speak(t, "Bob speaking. Seven boxes of paper arrived for you this morning.", "-v", "en-us")
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: fromBob})
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto", says: fromAlice})
	a.doc("/voice", `<Response><Dial action="/after" record="record-from-answer-dual"><Client>bob</Client></Dial></Response>`)
	a.doc("/after", `<Response><Hangup/></Response>`)
	sid := g.create(url.Values{"To": {"client:alice"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	alice.wait("CALL_ESTABLISHED")
	bob.wait("CALL_ESTABLISHED")
	pauseFor(7 * time.Second)
	bob.do("hangup", "")
	after := a.until("/after", 1)
	if s := after.form.Get("DialCallStatus"); s != "completed" {
		t.Errorf("DialCallStatus %q", s)
	}
	g.until(sid, "completed")
	hears(t, "bob", bob.heard(), fromAlice)
	// Alice spoke from her own answer on, bob from his: only what both heard counts.
	hears(t, "alice", alice.heard(), fromBob)
	rec, channels := g.recording(sid)
	if channels != 2 {
		t.Fatalf("the recording has %d channels", channels)
	}
	hears(t, "the recording's channel of the callee", channel(rec, 1, 2), fromBob)
}

// TestWrongPasswordAndStranger: a phone with a wrong password does not register
// and the API refuses wrong keys, in the vendor's own error type.
func TestWrongKeys(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	params := &openapi.CreateCallParams{}
	params.SetTo("client:bob")
	params.SetFrom("+14155550100")
	params.SetUrl("http://127.0.0.1:9/voice")
	_, err := g.twilioAs(g.account, "00000000000000000000000000000000").Api.CreateCall(params)
	var refused *twilioclient.TwilioRestError
	if !errors.As(err, &refused) || refused.Status != 401 || refused.Code != 20003 {
		t.Errorf("wrong token: %v", err)
	}
	params.To = nil
	_, err = g.twilio().Api.CreateCall(params)
	if !errors.As(err, &refused) || refused.Status != 400 || refused.Code != 21201 {
		t.Errorf("no To: %v", err)
	}
}
