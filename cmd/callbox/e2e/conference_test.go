//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	openapi "github.com/twilio/twilio-go/rest/api/v2010"

	"callbox/media/tone"
)

const threeUsers = twoUsers + `- name: carol
  password: c1a2r3o4l5
`

// slotLength is how long the slots of a timeline are, in seconds.
const slotLength = 8

// timeline is what a phone says: sentences, each twice in a slot of its own, so
// that what a phone on a busy machine sends too late of one is in the other.
func timeline(t *testing.T, sentences map[int][]int16) []int16 {
	t.Helper()
	const half = slotLength * rate / 2
	var s []int16
	for n, said := range sentences {
		if len(said) > half-rate/4 {
			t.Fatalf("a sentence lasts %.1f s", float64(len(said))/rate)
		}
		for _, at := range []int{2 * n * half, (2*n + 1) * half} {
			for len(s) < at+len(said) {
				s = append(s, 0)
			}
			copy(s[at:], said)
		}
	}
	return s
}

// slots waits until so many slots have passed since a timeline began.
func slots(began time.Time, n float64) {
	pauseFor(time.Until(began.Add(time.Duration(n * slotLength * float64(time.Second)))))
}

// around is the part of a sound, which began with the timelines, in which what was
// said in a slot is heard, if it is.
func around(s []int16, slot int) []int16 {
	from, to := (slot*slotLength-3)*rate, ((slot+1)*slotLength+3)*rate
	return s[min(max(from, 0), len(s)):min(to, len(s))]
}

// hearsOnce fails unless want, which was said more than once, is in got at least
// once whole.
func hearsOnce(t *testing.T, who string, got, want []int16) {
	t.Helper()
	best := 0.0
	for at := 0; best < 0.9 && at+len(want) < len(got); at += rate {
		best = max(best, similarity(got[at:min(at+len(want)+2*rate, len(got))], want))
	}
	t.Logf("%s: similarity %.3f over %.1f s", who, best, float64(len(want))/rate)
	if best < 0.9 {
		t.Errorf("%s does not hear what was said: similarity %.3f, want at least 0.9", who, best)
	}
}

// deaf fails if want is in got.
func deaf(t *testing.T, who string, got, want []int16) {
	t.Helper()
	if c := similarity(got, want); c > 0.5 {
		t.Errorf("%s hears what it must not: similarity %.3f", who, c)
	}
}

// TestConference: three phones meet, each hears the two others and not itself; who
// is muted over REST is not heard; who is thrown out goes on with its document;
// the recording has it all; the callbacks tell it in order.
func TestConference(t *testing.T) {
	t.Parallel()
	g := startGateway(t, threeUsers)
	a := newApp(t)
	said := map[string]map[int][]int16{
		"alice": {1: speak(t, "This is Alice. The garden gate was left open.")},
		"bob": {2: speak(t, "Bob speaking. Seven boxes of paper arrived.", "-v", "en-us"),
			4: speak(t, "Nobody should hear this sentence at all.", "-v", "en-us")},
		"carol": {3: speak(t, "Carol here, calling from the top of the hill.", "-p", "70"),
			5: speak(t, "Still the same voice, a little later on.", "-p", "70")},
	}
	a.doc("/room", `<Response><Dial action="/after"><Conference record="record-from-start" trim="do-not-trim" participantLabel="x"
		statusCallback="`+a.URL+`/conf" statusCallbackEvent="start end join leave mute hold modify">garden</Conference></Dial></Response>`)
	a.doc("/after", `<Response><Pause length="1"/><Hangup/></Response>`)
	phones, sids := map[string]*baresip{}, map[string]string{}
	for name, password := range map[string]string{"alice": "a1l2i3c4e5", "bob": "b1o2b3b4o5", "carol": "c1a2r3o4l5"} {
		phones[name] = startBaresip(t, phone{name: name, password: password, registrar: g.sip, answer: "auto", says: timeline(t, said[name])})
	}
	for _, name := range []string{"alice", "bob", "carol"} {
		sids[name] = g.create(url.Values{"To": {"client:" + name}, "From": {"+14155550100"},
			"Url": {a.URL + "/room"}})
		phones[name].wait("CALL_ESTABLISHED")
	}
	began := time.Now()
	client := g.twilio().Api
	var conf openapi.ApiV2010Conference
	poll(t, "three are in the conference", func() bool {
		list, err := client.ListConference(&openapi.ListConferenceParams{FriendlyName: ptr("garden"), Status: ptr("in-progress")})
		if err != nil || len(list) != 1 {
			return false
		}
		conf = list[0]
		parties, err := client.ListParticipant(*conf.Sid, &openapi.ListParticipantParams{})
		return err == nil && len(parties) == 3
	})
	slots(began, 3.95)
	p, err := client.UpdateParticipant(*conf.Sid, sids["bob"], &openapi.UpdateParticipantParams{Muted: ptr(true)})
	if err != nil || !*p.Muted || *p.ConferenceSid != *conf.Sid || *p.Label != "x" {
		t.Fatalf("mute: %+v, %v", p, err)
	}
	slots(began, 6)
	if err := client.DeleteParticipant(*conf.Sid, sids["carol"], nil); err != nil {
		t.Fatal(err)
	}
	if after := a.until("/after", 1); after.form.Get("CallSid") != sids["carol"] || after.form.Get("DialCallStatus") != "answered" {
		t.Errorf("carol's action was told %v", after.form)
	}
	g.until(sids["carol"], "completed")
	if c, err := client.UpdateConference(*conf.Sid, &openapi.UpdateConferenceParams{Status: ptr("completed")}); err != nil || *c.Status != "completed" ||
		*c.ReasonConferenceEnded != "conference-ended-via-api" {
		t.Errorf("end: %+v, %v", c, err)
	}
	for _, name := range []string{"alice", "bob"} {
		g.until(sids[name], "completed")
	}
	for who, p := range phones {
		heard := p.heard()
		for other, sentences := range said {
			for slot, s := range sentences {
				if other == who || other == "bob" && slot == 4 {
					deaf(t, who, around(heard, slot), s)
				} else {
					hearsOnce(t, who+", slot "+string(rune('0'+slot)), around(heard, slot), s)
				}
			}
		}
	}
	var kinds []string
	poll(t, "the end is told", func() bool {
		kinds = nil
		for i, r := range a.requests("/conf") {
			if want := r.form.Get("SequenceNumber"); want != string(rune('1'+i)) && i < 9 {
				t.Fatalf("callback %d has the number %s", i, want)
			}
			kinds = append(kinds, r.form.Get("StatusCallbackEvent"))
		}
		return slices.Contains(kinds, "conference-end")
	})
	want := "participant-join conference-start participant-join participant-join participant-mute participant-leave participant-leave participant-leave conference-end"
	if got := strings.Join(kinds, " "); got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	recordingHears(t, g, *conf.Sid, said)
}

// recordingHears checks the recording of a conference.
func recordingHears(t *testing.T, g *gateway, conference string, said map[string]map[int][]int16) {
	t.Helper()
	var rec map[string]any
	poll(t, "the recording is complete", func() bool {
		_, list := g.get("/Conferences/" + conference + "/Recordings.json")
		all, _ := list["recordings"].([]any)
		if len(all) != 1 {
			return false
		}
		rec = all[0].(map[string]any)
		return rec["status"] == "completed"
	})
	if rec["conference_sid"] != conference || rec["source"] != "Conference" {
		t.Errorf("recording %v", rec)
	}
	heard := g.sound("/Conferences/" + conference + "/Recordings/" + rec["sid"].(string) + ".wav")
	for who, sentences := range said {
		for slot, s := range sentences {
			if who == "bob" && slot == 4 {
				deaf(t, "the recording", around(heard, slot), s)
			} else {
				hearsOnce(t, "the recording", around(heard, slot), s)
			}
		}
	}
}

// sound fetches a WAV file below the account.
func (g *gateway) sound(path string) []int16 {
	g.t.Helper()
	req, err := http.NewRequest(http.MethodGet, g.api+"/2010-04-01/Accounts/"+g.account+path, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	req.SetBasicAuth(g.account, g.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	b := make([]byte, 0, 1<<20)
	for {
		part := make([]byte, 64<<10)
		n, err := res.Body.Read(part)
		b = append(b, part[:n]...)
		if err != nil {
			break
		}
	}
	s, _, ok := parseWAV(b)
	if !ok {
		g.t.Fatalf("%s: %s, %d bytes, no WAV file", path, res.Status, len(b))
	}
	return s
}

// TestParticipants: calls are placed into a conference over REST by the vendor's
// client; one that is busy is told of; hold, announcements and coaching are heard,
// also of one who coaches from the beginning by the document's attribute.
func TestParticipants(t *testing.T) {
	t.Parallel()
	g := startGateway(t, threeUsers+"- {name: dave, password: d1a2v3e4l5}\n")
	a := newApp(t)
	fromBob := speak(t, "Bob speaking. Seven boxes of paper arrived.", "-v", "en-us")
	fromDave := speak(t, "Carol, do not agree to more than five.", "-p", "30")
	fromBobLater := speak(t, "Only Carol is told where the key lies.", "-v", "en-us")
	hold := speak(t, "You are on hold. Somebody will be with you soon.", "-p", "30")
	news := speak(t, "This meeting ends in one minute.", "-p", "90")
	says := map[string][]int16{"alice": nil, "bob": timeline(t, map[int][]int16{1: fromBob, 3: fromBobLater}), "carol": nil}
	phones := map[string]*baresip{}
	for name, password := range map[string]string{"alice": "a1l2i3c4e5", "bob": "b1o2b3b4o5", "carol": "c1a2r3o4l5"} {
		phones[name] = startBaresip(t, phone{name: name, password: password, registrar: g.sip, answer: "auto", says: says[name]})
	}
	a.wav("/hold.wav", hold)
	a.wav("/news.wav", news)
	a.doc("/news", `<Response><Play>/news.wav</Play></Response>`)
	client := g.twilio().Api
	invite := func(name string) *openapi.CreateParticipantParams {
		return &openapi.CreateParticipantParams{To: ptr("client:" + name), From: ptr("+14155550100"), Label: ptr(name), Beep: ptr("false"),
			ConferenceStatusCallback: ptr(a.URL + "/conf"), ConferenceStatusCallbackEvent: ptr([]string{"join", "leave", "end", "hold", "announcement", "modify"}),
			EndConferenceOnExit: ptr(name == "alice")}
	}
	first, err := client.CreateParticipant("meeting", invite("alice"))
	if err != nil || first.ConferenceSid == nil || *first.Label != "alice" || first.CallSid == nil {
		t.Fatalf("%+v, %v", first, err)
	}
	sid := *first.ConferenceSid
	for _, name := range []string{"bob", "carol"} {
		if p, err := client.CreateParticipant(sid, invite(name)); err != nil || *p.ConferenceSid != sid {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	for _, p := range phones {
		p.wait("CALL_ESTABLISHED")
	}
	began := time.Now()
	coached, err := client.FetchParticipant(sid, "carol", nil)
	if err != nil {
		t.Fatal(err)
	}
	dave := startBaresip(t, phone{name: "dave", password: "d1a2v3e4l5", registrar: g.sip, answer: "auto", says: timeline(t, map[int][]int16{0: fromDave})})
	g.create(url.Values{"To": {"client:dave"}, "From": {"+14155550100"},
		"Twiml": {`<Response><Dial><Conference beep="false" coach="` + *coached.CallSid + `">meeting</Conference></Dial></Response>`}})
	if _, err := client.CreateParticipant(sid, &openapi.CreateParticipantParams{To: ptr("client:nobody"), From: ptr("+14155550100"), Label: ptr("ghost")}); err != nil {
		t.Fatal(err)
	}
	// alice is on hold while bob speaks, carol is not.
	if p, err := client.UpdateParticipant(sid, "alice", &openapi.UpdateParticipantParams{Hold: ptr(true), HoldUrl: ptr(a.URL + "/hold.wav")}); err != nil || !*p.Hold {
		t.Fatalf("hold: %+v, %v", p, err)
	}
	slots(began, 2)
	if _, err := client.UpdateParticipant(sid, "alice", &openapi.UpdateParticipantParams{Hold: ptr(false)}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.UpdateConference(sid, &openapi.UpdateConferenceParams{AnnounceUrl: ptr(a.URL + "/news")}); err != nil {
		t.Fatal(err)
	}
	slots(began, 2.9)
	carol, err := client.FetchParticipant(sid, "carol", nil)
	if err != nil || *carol.Status != "connected" {
		t.Fatalf("%+v, %v", carol, err)
	}
	if p, err := client.UpdateParticipant(sid, "bob", &openapi.UpdateParticipantParams{Coaching: ptr(true), CallSidToCoach: carol.CallSid}); err != nil || *p.CallSidToCoach != *carol.CallSid {
		t.Fatalf("coach: %+v, %v", p, err)
	}
	slots(began, 4)
	phones["alice"].do("hangup", "") // with whom it ends
	for name, p := range phones {
		if name != "alice" {
			p.wait("CALL_CLOSED")
		}
	}
	heard := phones["alice"].heard()
	hears(t, "alice on hold", around(heard, 1), hold)
	hears(t, "alice", around(heard, 2), news)
	deaf(t, "alice on hold", around(heard, 1), fromBob)
	deaf(t, "alice, not coached", around(heard, 3), fromBobLater)
	heard = phones["carol"].heard()
	for slot, s := range [][]int16{nil, fromBob, news, fromBobLater} {
		if s != nil {
			hearsOnce(t, "carol", around(heard, slot), s)
		}
	}
	hearsOnce(t, "carol, coached by the document", heard, fromDave)
	deaf(t, "bob, not coached by the document", phones["bob"].heard(), fromDave)
	hears(t, "the coach", dave.heard(), fromBob)
	deaf(t, "carol", around(heard, 1), hold)
	hears(t, "bob", around(phones["bob"].heard(), 2), news)
	var told []string
	poll(t, "the end is told", func() bool {
		told = nil
		for _, r := range a.requests("/conf") {
			told = append(told, r.form.Get("StatusCallbackEvent")+" "+r.form.Get("ParticipantLabel")+" "+r.form.Get("ParticipantCallStatus"))
		}
		return slices.ContainsFunc(told, func(s string) bool { return strings.HasPrefix(s, "conference-end") })
	})
	for _, want := range []string{"participant-leave ghost failed", "participant-hold alice ", "participant-unhold alice ", "announcement-end  ",
		"participant-modify bob ", "participant-leave alice completed"} {
		if !slices.Contains(told, want) {
			t.Errorf("%q was not told; told %q", want, told)
		}
	}
	list, err := client.ListConference(&openapi.ListConferenceParams{Status: ptr("completed")})
	if err != nil || len(list) != 1 || *list[0].Sid != sid || *list[0].CallSidEndingConference != *first.CallSid {
		b, _ := json.Marshal(list)
		t.Errorf("%s, %v", b, err)
	}
}

// TestQueue: a caller waits with the document's sound, then with the box's music;
// the agent is connected with the front one; both hear each other; queue and
// members are seen and changed with the vendor's client.
func TestQueue(t *testing.T) {
	t.Parallel()
	g := startGateway(t, threeUsers)
	a := newApp(t)
	wait := speak(t, "All our lines are busy at this moment.", "-p", "30")
	fromAlice := speak(t, "This is Alice. I would like to return a lamp.")
	fromBob := speak(t, "Bob speaking. What is wrong with it?", "-v", "en-us")
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto", says: timeline(t, map[int][]int16{3: fromAlice})})
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: timeline(t, map[int][]int16{1: fromBob})})
	carol := startBaresip(t, phone{name: "carol", password: "c1a2r3o4l5", registrar: g.sip, answer: "auto"})
	a.wav("/wait.wav", wait)
	a.doc("/wait", `<Response><Play>/wait.wav</Play></Response>`)
	a.doc("/enqueue", `<Response><Enqueue action="/left" waitUrl="/wait">support</Enqueue></Response>`)
	a.doc("/music", `<Response><Enqueue action="/left">support</Enqueue></Response>`)
	a.doc("/left", `<Response><Hangup/></Response>`)
	a.doc("/agent", `<Response><Dial action="/done" hangupOnStar="true"><Queue url="/notice">support</Queue></Dial></Response>`)
	a.doc("/notice", `<Response/>`)
	a.doc("/done", `<Response><Hangup/></Response>`)
	a.doc("/elsewhere", `<Response><Hangup/></Response>`)
	client := g.twilio().Api
	q, err := client.CreateQueue(&openapi.CreateQueueParams{FriendlyName: ptr("support"), MaxSize: ptr(7)})
	if err != nil || q.MaxSize != 7 {
		t.Fatalf("%+v, %v", q, err)
	}
	first := g.create(url.Values{"To": {"client:alice"}, "From": {"+14155550100"}, "Url": {a.URL + "/enqueue"}})
	alice.wait("CALL_ESTABLISHED")
	began := time.Now()
	if asked := a.until("/wait", 1).form; asked.Get("QueuePosition") != "1" || asked.Get("CurrentQueueSize") != "1" ||
		asked.Get("QueueSid") != *q.Sid || asked.Get("MaxQueueSize") != "7" || asked.Get("QueueTime") != "0" {
		t.Errorf("the waiting document was told %v", asked)
	}
	second := g.create(url.Values{"To": {"client:carol"}, "From": {"+14155550100"}, "Url": {a.URL + "/music"}})
	carol.wait("CALL_ESTABLISHED")
	poll(t, "two wait", func() bool {
		now, err := client.FetchQueue(*q.Sid, nil)
		return err == nil && now.CurrentSize == 2
	})
	if members, err := client.ListMember(*q.Sid, &openapi.ListMemberParams{}); err != nil || len(members) != 2 || *members[0].CallSid != first || members[1].Position != 2 {
		t.Errorf("%+v, %v", members, err)
	}
	pauseFor(time.Until(began.Add(12 * time.Second)))
	agent := g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {a.URL + "/agent"}})
	bob.wait("CALL_ESTABLISHED")
	if asked := a.until("/notice", 1).form; asked.Get("CallSid") != first || asked.Get("DequeingCallSid") != agent || asked.Get("QueueSid") != *q.Sid {
		t.Errorf("the notice was told %v", asked)
	}
	pauseFor(time.Until(began.Add(34 * time.Second)))
	bob.press("*")
	if left := a.until("/left", 1).form; left.Get("QueueResult") != "bridged" || left.Get("QueueSid") != *q.Sid || left.Get("QueueTime") == "" {
		t.Errorf("the caller's action was told %v", left)
	}
	if done := a.until("/done", 1).form; done.Get("DialCallStatus") != "completed" || done.Get("DialCallSid") != first || done.Get("DialBridged") != "true" {
		t.Errorf("the agent's action was told %v", done)
	}
	for _, sid := range []string{first, agent} {
		g.until(sid, "completed")
	}
	if m, err := client.UpdateMember(*q.Sid, "Front", &openapi.UpdateMemberParams{Url: ptr(a.URL + "/elsewhere")}); err != nil || *m.CallSid != second {
		t.Errorf("%+v, %v", m, err)
	}
	g.until(second, "completed")
	if left := a.until("/left", 2).form; left.Get("QueueResult") != "redirected" || left.Get("CallSid") != second {
		t.Errorf("the second caller's action was told %v", left)
	}
	if err := client.DeleteQueue(*q.Sid, nil); err != nil {
		t.Error(err)
	}
	heard := alice.heard()
	hears(t, "alice waiting", heard, wait)
	hearsOnce(t, "alice", heard, fromBob)
	hearsOnce(t, "bob", bob.heard(), fromAlice)
	hears(t, "carol waiting", carol.heard(), tone.Music()[:6*rate])
}

// TestQueuesLast: queues are there again after a restart, without their calls.
func TestQueuesLast(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "")
	q, err := g.twilio().Api.CreateQueue(&openapi.CreateQueueParams{FriendlyName: ptr("support"), MaxSize: ptr(7)})
	if err != nil {
		t.Fatal(err)
	}
	account, token := g.account, g.token
	g.stop(syscall.SIGKILL)
	g.start()
	g.account, g.token = account, token
	if got, err := g.twilio().Api.FetchQueue(*q.Sid, nil); err != nil || *got.FriendlyName != "support" || got.MaxSize != 7 || got.CurrentSize != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}
