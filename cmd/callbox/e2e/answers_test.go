//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/call/line/sipleg/siptest"
	"callbox/media/amd"
	"callbox/media/amd/corpus"
)

// answers is what a kind of far end must make the dialects tell.
type answers struct {
	enable string   // MachineDetection=Enable
	end    []string // what DetectMessageEnd may end with
	rcml   string   // VoicemailDetector; empty: nothing is told
	events string   // the JSON dialect's, without the last, amd_stopped
}

// answersOf gives them for a clip by its label, not by what our detector thinks.
func answersOf(c *corpus.Clip) answers {
	switch c.Truth {
	case corpus.Human:
		return answers{"human", []string{"human"}, "person_found", "amd_human_detected"}
	case corpus.Fax:
		return answers{"fax", []string{"fax"}, "", "amd_machine_detected"}
	case corpus.Silence:
		return answers{"unknown", []string{"unknown"}, "", "amd_no_speech_detected"}
	case corpus.Machine:
	}
	if c.Beep > 0 {
		return answers{"machine_start", []string{"machine_end_beep"}, "voicemail", "amd_machine_detected amd_tone_detected"}
	}
	return answers{"machine_start", []string{"machine_end_silence", "machine_end_other"}, "voicemail", "amd_machine_detected amd_machine_stopped_speaking"}
}

// kind is a far end that answers with a clip of a class.
type kind struct {
	clip  *corpus.Clip
	name  string // of its user, and in the application's paths
	phone *baresip
	want  answers
	sid   string // of its present call
}

// clipOfEachClass gives the first clip of each class of the test split that the
// detector judges rightly and with certainty when it hears it from a file: whether
// it is right is what make bench-amd counts, here a call must carry it.
func clipOfEachClass(t *testing.T) []*corpus.Clip {
	t.Helper()
	studio := corpus.Studio{EspeakOnly: true}
	left := corpus.Classes()
	var list []*corpus.Clip
	for n := 0; len(left) > 0; n++ {
		class := corpus.ClassOf(corpus.Test, n)
		at := slices.Index(left, class)
		if at < 0 {
			continue
		}
		c, err := studio.Clip(t.Context(), corpus.Test, n)
		if err != nil {
			t.Fatal(err)
		}
		if judgedWell(c) {
			list = append(list, c)
			left = slices.Delete(left, at, at+1)
		}
	}
	return list
}

// judgedWell reports whether the detector is right about a clip, certainly, and also
// when packets get lost on its way.
func judgedWell(c *corpus.Clip) bool {
	cfg := amd.Config{Timeout: 30 * time.Second, Silence: 5 * time.Second}
	for seed := range uint64(6) {
		sound, draw := slices.Clone(c.Sound), rand.New(rand.NewPCG(seed, 0))
		for i := rate / 50; i+rate/50 <= len(sound) && seed > 0; i += rate / 50 {
			if draw.Float64() < 0.03 { // what was there before goes on, softer
				for j := range rate / 50 {
					sound[i+j] = sound[i+j-rate/50] / 2
				}
			}
		}
		cfg.MessageEnd = false
		first := amd.Judge(cfg, sound)
		cfg.MessageEnd = true
		last := amd.Judge(cfg, sound)
		sure := first.Confidence > 0.97 || first.Result == amd.Unknown
		if !sure || first.Result.Answered() != string(c.Truth) || !slices.Contains(answersOf(c).end, string(last.Result)) {
			return false
		}
	}
	return true
}

// TestEveryKindOfAnswer calls a phone for each class of answer (people, machines
// with and without a beep, menus, a fax, silence …) through G.711 over a link that
// loses 2 % of the packets each way, and bends their time, from each dialect, with the
// script waiting for the verdict and beside it: each application is told what
// answered.
func TestEveryKindOfAnswer(t *testing.T) {
	t.Parallel()
	if !ownNetwork(t) {
		return
	}
	far := place{"far", "203.0.113.10"}
	newBadLink(t, "wan", "203.0.113.1", far, trouble{loss: 0.02, delay: 20 * time.Millisecond, jitter: 20 * time.Millisecond, seed: 7})
	var kinds []*kind
	users := "\nusers:\n"
	for i, c := range clipOfEachClass(t) {
		k := &kind{clip: c, name: fmt.Sprintf("far%d", i), want: answersOf(c)}
		users += "- name: " + k.name + "\n  password: a1l2i3c4e5\n"
		kinds = append(kinds, k)
	}
	g := &gateway{t: t, dir: t.TempDir(), listen: "0.0.0.0:5060"}
	g.start()
	g.configure(users)
	for i, k := range kinds {
		t.Logf("%s is %s: %s, %s", k.name, k.clip.Name, k.clip.Class, k.clip.Line)
		k.phone = startBaresip(t, phone{name: k.name, password: "a1l2i3c4e5", registrar: "203.0.113.1:5060", answer: "auto",
			says: k.clip.Sound, codecs: []string{"PCMU", "PCMA"}[i%2], place: far})
	}
	a := newApp(t)
	a.doc("/done", `<Response><Hangup/></Response>`)
	a.doc("/wait", `<Response><Pause length="60"/></Response>`)
	for _, tc := range []struct {
		name string
		try  func(*testing.T, *gateway, *app, []*kind)
	}{
		{"restcomm", byStatusCallback},
		{"twilio, waiting", waitingForVerdict("twilio", "Enable")}, {"twilio, beside", besideTheScript("twilio", "DetectMessageEnd", false)},
		{"signalwire, waiting", waitingForVerdict("signalwire", "DetectMessageEnd")}, {"signalwire, partial", besideTheScript("signalwire", "DetectMessageEnd", true)},
		{"jambonz", byEvents},
	} {
		t.Run(tc.name, func(t *testing.T) { tc.try(t, g, a, kinds) })
	}
}

// call places a call to each far end at once.
func callAll(t *testing.T, g *gateway, dialect string, kinds []*kind, form func(k *kind) url.Values) {
	t.Helper()
	for _, k := range kinds {
		v := form(k)
		v.Set("To", "client:"+k.name)
		v.Set("From", "+14155550100")
		k.sid = ask(t, http.MethodPost, g.callPath(dialect)+"/Calls.json", userOf(g, dialect), g.token, v.Encode())
	}
}

// about gives the requests to path about the present call.
func (k *kind) about(a *app, path string) (list []asked) {
	for _, r := range a.requests(path) {
		if r.form.Get("CallSid") == k.sid {
			list = append(list, r)
		}
	}
	return list
}

// await waits for the n-th request to path about the present call.
func (k *kind) await(t *testing.T, a *app, path string, n int) asked {
	t.Helper()
	poll(t, fmt.Sprintf("%s: request %d to %s", k.clip.Class, n, path), func() bool { return len(k.about(a, path)) >= n })
	return k.about(a, path)[n-1]
}

// reasons gives what the box logged of the present call's verdicts.
func (k *kind) reasons(g *gateway) (lines string) {
	for line := range strings.Lines(g.log.String()) {
		if strings.Contains(line, `"machine detection"`) && strings.Contains(line, k.sid) {
			lines += "\n" + line
		}
	}
	return lines
}

// told checks a request's verdict.
func (k *kind) told(t *testing.T, what string, r asked, want ...string) {
	t.Helper()
	if by := r.form.Get("AnsweredBy"); !slices.Contains(want, by) {
		t.Errorf("%s (%s): %s says AnsweredBy=%q, want %q; %s ms", k.clip.Class, k.clip.Name, what, by, want, r.form.Get("MachineDetectionDuration"))
	}
}

// waitingForVerdict has the script wait: the document is asked for with the verdict.
func waitingForVerdict(dialect, mode string) func(*testing.T, *gateway, *app, []*kind) {
	return func(t *testing.T, g *gateway, a *app, kinds []*kind) {
		callAll(t, g, dialect, kinds, func(*kind) url.Values {
			return url.Values{"Url": {a.URL + "/done"}, "MachineDetection": {mode}, "StatusCallback": {a.URL + "/status"}, "StatusCallbackEvent": {"completed"}}
		})
		for _, k := range kinds {
			want := k.want.end
			if mode == "Enable" {
				want = []string{k.want.enable}
			}
			k.told(t, "the document's request", k.await(t, a, "/done", 1), want...)
			k.told(t, "the last status callback", k.await(t, a, "/status", 1), want...)
			k.phone.wait("CALL_CLOSED")
		}
	}
}

// besideTheScript has the verdict come in callbacks of its own.
func besideTheScript(dialect, mode string, partial bool) func(*testing.T, *gateway, *app, []*kind) {
	return func(t *testing.T, g *gateway, a *app, kinds []*kind) {
		amd, wait := "/amd-"+dialect, a.URL+"/wait"
		callAll(t, g, dialect, kinds, func(*kind) url.Values {
			v := url.Values{"Url": {wait}, "MachineDetection": {mode}, "AsyncAmd": {"true"}, "AsyncAmdStatusCallback": {a.URL + amd},
				"StatusCallback": {a.URL + "/status"}, "StatusCallbackEvent": {"completed"}}
			if partial {
				v.Set("AsyncAmdPartialResults", "true")
			}
			return v
		})
		for _, k := range kinds {
			if k.await(t, a, "/wait", 1).form.Has("AnsweredBy") {
				t.Errorf("%s: the document was asked for with a verdict", k.clip.Class)
			}
			n := 1
			if partial && strings.HasPrefix(k.want.enable, "machine") {
				k.told(t, "the interim result", k.await(t, a, amd, n), "machine_start")
				n++
			}
			k.told(t, "the result", k.await(t, a, amd, n), k.want.end...)
			k.phone.do("hangup", "")
			k.told(t, "the last status callback", k.await(t, a, "/status", 1), k.want.end...)
			k.phone.wait("CALL_CLOSED")
			if list := k.about(a, amd); len(list) != n {
				t.Errorf("%s: %d results, want %d", k.clip.Class, len(list), n)
			}
		}
	}
}

// byStatusCallback has the verdict come with the status callbacks, as Restcomm tells
// it; it has no word for a fax or for silence.
func byStatusCallback(t *testing.T, g *gateway, a *app, kinds []*kind) {
	callAll(t, g, "restcomm", kinds, func(*kind) url.Values {
		return url.Values{"Url": {a.URL + "/wait"}, "DetectVoicemail": {"true"}, "StatusCallback": {a.URL + "/detected"}, "StatusCallbackEvent": {"completed"}}
	})
	for _, k := range kinds {
		if k.want.rcml != "" {
			if got := k.await(t, a, "/detected", 1).form.Get("VoicemailDetector"); got != k.want.rcml {
				t.Errorf("%s: VoicemailDetector=%q, want %q", k.clip.Class, got, k.want.rcml)
			}
		} else {
			poll(t, k.clip.Class+": the record has the verdict", func() bool {
				_, rec := g.get("/Calls/" + k.sid + ".json")
				return rec["answered_by"] == k.want.enable
			})
		}
		k.phone.do("hangup", "")
		k.phone.wait("CALL_CLOSED")
		last := func() bool {
			list := k.about(a, "/detected")
			return len(list) > 0 && list[len(list)-1].form.Get("CallStatus") == "completed"
		}
		poll(t, k.clip.Class+": the last status callback", last)
		list := k.about(a, "/detected")
		if got := list[len(list)-1].form.Get("VoicemailDetector"); got != k.want.rcml {
			t.Errorf("%s: the last callback says VoicemailDetector=%q, want %q", k.clip.Class, got, k.want.rcml)
		}
	}
}

// byEvents has each stage come as an event, as jambonz tells it.
func byEvents(t *testing.T, g *gateway, a *app, kinds []*kind) {
	types := func(k *kind) string {
		var list []string
		for _, r := range a.requests("/events/" + k.name) {
			list = append(list, r.header.Get("X-Type"))
		}
		return strings.Join(list, " ")
	}
	for _, k := range kinds {
		// The application keeps requests before it answers them; the body's type goes
		// into what it keeps.
		a.handle("/events/"+k.name, func(w http.ResponseWriter, r *http.Request) {
			var ev struct {
				Type string `json:"type"`
			}
			if err := json.NewDecoder(r.Body).Decode(&ev); err != nil {
				t.Errorf("%s: %v", k.clip.Class, err)
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			r.Header.Set("X-Type", ev.Type)
			w.WriteHeader(http.StatusNoContent)
		})
		serveVerbs(a, "/pause", `[{"verb":"pause","length":60}]`)
		code, body := g.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(`{"from":"14155550100","to":{"type":"user","name":%q},"call_hook":%q,"amd":{"actionHook":%q}}`,
			k.name, a.URL+"/pause", a.URL+"/events/"+k.name))
		if code != http.StatusCreated {
			t.Fatalf("%s: create: %d %v", k.clip.Class, code, body)
		}
		k.sid = text(body["sid"])
	}
	for _, k := range kinds {
		poll(t, k.clip.Class+": the last event", func() bool { return strings.HasSuffix(types(k), "amd_stopped") })
		if got := types(k); got != k.want.events+" amd_stopped" {
			t.Errorf("%s (%s): events %s, want %s and amd_stopped%s", k.clip.Class, k.clip.Name, got, k.want.events, k.reasons(g))
		}
		k.phone.do("hangup", "")
		k.phone.wait("CALL_CLOSED")
	}
}

// loseEvery loses every n-th packet between two of our addresses, each way: the same
// ones in every run. It needs a network of its own.
func loseEvery(t *testing.T, n int, a, b string) {
	t.Helper()
	for _, way := range [][2]string{{a, b}, {b, a}} {
		command(t, "iptables", "-A", "INPUT", "-p", "udp", "-s", way[0], "-d", way[1],
			"-m", "statistic", "--mode", "nth", "--every", fmt.Sprint(n), "--packet", fmt.Sprint(n/2), "-j", "DROP")
	}
}

// TestMessageIsWhole leaves a message on machines that lose one packet in forty, by
// each dialect that can: the far side's own tape, of what it said and heard at the same
// time, has nothing of the box before the end of its beep, and then the whole message.
func TestMessageIsWhole(t *testing.T) {
	t.Parallel()
	if !ownNetwork(t) {
		return
	}
	loseEvery(t, 40, "127.0.0.1", "127.0.0.2")
	var greetings []*corpus.Clip
	for _, c := range clipOfEachClass(t) {
		if c.Truth == corpus.Machine && c.Beep > 0 {
			greetings = append(greetings, c)
		}
	}
	if len(greetings) < 3 {
		t.Fatalf("%d greetings with a beep, want three", len(greetings))
	}
	g := startGateway(t, twoUsers)
	a := newApp(t)
	message := speak(t, "This is the branch office. Your parcel can be collected tomorrow between nine and twelve.")
	a.wav("/message.wav", message)
	a.doc("/leave", `<Response><Play>/message.wav</Play></Response>`)
	a.doc("/wait", `<Response><Pause length="60"/></Response>`)
	serveVerbs(a, "/pause", `[{"verb":"pause","length":60}]`)
	a.handle("/event", func(w http.ResponseWriter, r *http.Request) {
		var ev struct {
			Type string `json:"type"`
		}
		_ = json.NewDecoder(r.Body).Decode(&ev)
		if ev.Type == "amd_tone_detected" {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `[{"verb":"play","url":"/message.wav"},{"verb":"hangup"}]`)
		}
	})
	// The verdict beside the script has the application take the call over.
	a.handle("/verdict", func(_ http.ResponseWriter, r *http.Request) {
		if r.FormValue("AnsweredBy") == "machine_end_beep" {
			g.post("/Calls/"+r.FormValue("CallSid")+".json", url.Values{"Url": {a.URL + "/leave"}})
		}
	})
	bob := softphone(t, g, "127.0.0.2", "bob", "b1o2b3b4o5")
	form := func(dialect, script string, more url.Values) func() {
		return func() {
			v := url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {a.URL + script}, "MachineDetection": {"DetectMessageEnd"}}
			for name, list := range more {
				v[name] = list
			}
			ask(t, http.MethodPost, g.callPath(dialect)+"/Calls.json", userOf(g, dialect), g.token, v.Encode())
		}
	}
	for i, tc := range []struct {
		name string
		call func()
	}{
		{"twilio, waiting", form("twilio", "/leave", nil)},
		{"twilio, beside", form("twilio", "/wait", url.Values{"AsyncAmd": {"true"}, "AsyncAmdStatusCallback": {a.URL + "/verdict"}})},
		{"signalwire, waiting", form("signalwire", "/leave", nil)},
		{"jambonz", func() {
			if code, body := g.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(`{"from":"14155550100","to":{"type":"user","name":"bob"},"call_hook":%q,"amd":{"actionHook":%q}}`,
				a.URL+"/pause", a.URL+"/event")); code != http.StatusCreated {
				t.Fatalf("create: %d %v", code, body)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			greeting := greetings[i%len(greetings)]
			tc.call()
			lift(t, bob)
			poll(t, "the box is heard", func() bool { said, _ := bob.Tape(); return len(said) > 0 })
			bob.Say(greeting.Sound)
			if _, err := bob.WaitEnd(t.Context()); err != nil {
				t.Fatal(err)
			}
			isWhole(t, bob, greeting, message)
		})
	}
}

// serveVerbs answers at path with verbs.
func serveVerbs(a *app, path, verbs string) {
	a.handle(path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, verbs)
	})
}

// isWhole checks the far side's tape.
func isWhole(t *testing.T, far *siptest.Endpoint, greeting *corpus.Clip, message []int16) {
	t.Helper()
	said, heard := far.Tape()
	start := -1
	for i := 0; i+rate*4 < len(said) && start < 0; i += rate / 50 {
		if slices.Equal(said[i:i+rate*4], greeting.Sound[:rate*4]) {
			start = i
		}
	}
	if start < 0 {
		t.Fatal("the tape does not have the greeting")
	}
	beep := start + int(greeting.Beep*rate/time.Second)
	ms := func(samples int) int { return samples * 1000 / rate }
	began := onset(heard)
	t.Logf("%s: the beep ends at %d ms of the tape, the message begins %d ms later", greeting.Name, ms(beep), ms(began-beep))
	if began < beep {
		t.Errorf("the box is heard %d ms before the end of the beep", ms(beep-began))
	}
	recognises(t, "the machine", heard, message)
	// Its first and its last word are where they belong.
	const word = rate * 3 / 10
	whole := trim(message)
	first, last := whole[:word], whole[len(whole)-word:]
	from := bestOffset(heard, first, 0, len(heard)-word)
	to := bestOffset(heard, last, 0, len(heard)-word)
	for name, c := range map[string]float64{"first": correlation(heard, first, from), "last": correlation(heard, last, to)} {
		if c < 0.7 {
			t.Errorf("the machine does not have the message's %s word: correlation %.2f", name, c)
		}
	}
	if off := to - from - (len(whole) - word); off < -rate/10 || off > rate/10 {
		t.Errorf("between the first and the last word are %d ms too many", ms(off))
	}
}
