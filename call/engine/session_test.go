package engine

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/script"
)

// TestSession follows what the customer gave to a call: it is in the record,
// the verbs speak by it, and both requests and scripts change it.
func TestSession(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		given := call.Session{Tag: `{"order":17}`, Env: `{"A":"1"}`, Speech: call.Speech{Language: "fr-FR", Voice: "Marie", Vendor: "acme"}}
		tag, english := `{"order":18}`, call.Speech{Language: "en-GB", Voice: "Alice"}
		rec, _, err := w.e.Create(context.Background(), call.Request{Account: "acct", From: "5550111", CallerName: "Bob", To: "201", Session: given,
			SIP: call.SIP{Proxy: "sip:192.0.2.1", FromHost: "atlanta.example", ToURI: "sip:carol@chicago.example"},
			Script: w.doc("http://app/1",
				script.Say{Speech: script.Speech{Text: "a"}, Loop: 1},
				script.Say{Speech: script.Speech{Text: "b", Language: "de-DE"}, Loop: 1},
				script.Say{Speech: script.Speech{Text: "c", Voice: "Jean", Language: "fr-FR", Vendor: "other"}, Loop: 1},
				change{call.Change{Speech: &english}},
				script.Say{Speech: script.Speech{Text: "d"}, Loop: 1},
				script.Pause{Length: time.Minute})})
		if err != nil || rec.Session != given {
			t.Fatalf("%+v, %v", rec.Session, err)
		}
		leg := <-w.lines["201"].dialed
		if d := <-w.lines["201"].dials; d.FromName != "Bob" || d.SIP != (call.SIP{Proxy: "sip:192.0.2.1", FromHost: "atlanta.example", ToURI: "sip:carol@chicago.example"}) {
			t.Errorf("dialled %+v", d)
		}
		leg.answer()
		pass(10 * time.Second)
		want := []script.Speech{
			{Text: "a", Language: "fr-FR", Voice: "Marie", Vendor: "acme"}, {Text: "b", Language: "de-DE", Vendor: "acme"},
			{Text: "c", Voice: "Jean", Language: "fr-FR", Vendor: "other"}, {Text: "d", Language: "en-GB", Voice: "Alice", Vendor: "acme"},
		}
		w.mu.Lock()
		spoken := w.spoken
		w.mu.Unlock()
		if !reflect.DeepEqual(spoken, want) {
			t.Errorf("spoken\n%+v, want\n%+v", spoken, want)
		}
		if _, err := w.e.Modify(context.Background(), "acct", rec.ID, call.Change{Tag: &tag}); err != nil {
			t.Fatal(err)
		}
		leg.end(call.NormalClearing(call.Remote))
		if s := w.ends(rec.ID, call.Completed).Session; s.Tag != tag || s.Env != given.Env || s.Speech.Voice != "Alice" {
			t.Errorf("at the end %+v", s)
		}
	})
}

// change is a verb that changes its call.
type change struct{ ch call.Change }

func (change) Name() string { return "change" }
func (c change) Run(ctx context.Context, env *script.Env) (*script.Jump, error) {
	return nil, env.Change(ctx, c.ch)
}

// TestChildSession: children of a Dial are the parent's affair where nothing
// else is said.
func TestChildSession(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		status := call.StatusHook{Hook: call.Hook{URL: "http://app/status"}, Events: []call.EventType{call.EventRinging}}
		own := call.StatusHook{Hook: call.Hook{URL: "http://app/own"}}
		targets := users("201", "202")
		targets[1].Status, targets[1].SIP.FromHost, targets[1].From = own, "atlanta.example", "5550133"
		for _, tc := range []struct {
			d      script.Dial
			tag    string
			status []call.StatusHook
		}{
			{script.Dial{Targets: targets}, "parent's", []call.StatusHook{{}, own}},
			{script.Dial{Targets: targets, Tag: "child's", SameStatus: true}, "child's", []call.StatusHook{status, own}},
		} {
			rec, _, err := w.e.Create(context.Background(), call.Request{Account: "acct", To: "203", Application: "app", Status: status,
				Session: call.Session{Tag: "parent's"}, Script: w.doc("http://app/1", &script.DialVerb{Dial: tc.d})})
			if err != nil {
				t.Fatal(err)
			}
			leg := <-w.lines["203"].dialed
			leg.answer()
			for i, line := range []string{"201", "202"} {
				far := <-w.lines[line].dialed
				if d := <-w.lines[line].dials; (d.FromHost != "") != (i == 1) || (d.From == "5550133") != (i == 1) {
					t.Errorf("%s dialled %+v", line, d)
				}
				far.ring()
			}
			synctest.Wait()
			p, err := w.e.Calls(context.Background(), call.Filter{Account: "acct", Parent: rec.ID})
			if err != nil || len(p.Records) != 2 {
				t.Fatalf("%d children, %v", len(p.Records), err)
			}
			for _, c := range p.Records {
				i := int(c.To[len(c.To)-1] - '1') // client:201, client:202
				if c.Session.Tag != tc.tag || c.Application != "app" || !reflect.DeepEqual(c.Status, tc.status[i]) {
					t.Errorf("child %s: %+v %+v", c.To, c.Session, c.Status)
				}
			}
			leg.end(call.NormalClearing(call.Remote))
			w.ends(rec.ID, call.Completed)
			pass(10 * time.Second)
		}
	})
}

// TestRedirectBoth gives both parties of a connection documents of their own in
// one request, and either alone.
func TestRedirectBoth(t *testing.T) {
	for _, both := range []bool{true, false} {
		in(t, func(t *testing.T, w *world) {
			caller, id, _ := w.arrive(script.Dial{Targets: users("201")})
			mine, theirs := w.doc("http://app/mine", play("clip:100")), w.doc("http://app/theirs", script.Say{Loop: 2})
			if err := modify(w, id, call.Change{Child: &theirs, Script: &mine}); !errors.Is(err, call.ErrWrongState) {
				t.Errorf("nobody is connected yet: %v", err)
			}
			callee := <-w.lines["201"].dialed
			callee.answer()
			pass(time.Second)
			talking(t, caller, callee)
			child := w.childOf(id)
			if err := modify(w, child, call.Change{Child: &theirs}); !errors.Is(err, call.ErrWrongState) {
				t.Errorf("the callee has called nobody: %v", err)
			}
			ch := call.Change{Child: &theirs}
			if both {
				ch.Script = &mine
			}
			if err := modify(w, id, ch); err != nil {
				t.Fatal(err)
			}
			hears(t, "the callee", callee, 400)
			hears(t, "the caller", caller, 300) // also without a document: of the Dial's action
			pass(10 * time.Second)
			w.ends(id, call.Completed)
			w.ends(child, call.Completed)
			if err := modify(w, id, call.Change{Child: &theirs}); !errors.Is(err, call.ErrEnded) {
				t.Errorf("the call has ended: %v", err)
			}
		})
	}
}

// TestResetSpeech: what a document has set of speech goes back to what the call
// began with, each half for itself.
func TestResetSpeech(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		own := call.Speech{Vendor: "default", Language: "fr-FR", Recognizer: "acme", RecognizerLanguage: "fr-FR"}
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Session: call.Session{Speech: own}, Script: w.doc("http://app/voice", play("clip:5000"))})
		(<-w.lines["201"].dialed).answer()
		change := func(ch call.Change) call.Speech {
			t.Helper()
			r, err := w.e.Modify(context.Background(), "acct", rec.ID, ch)
			if err != nil {
				t.Fatal(err)
			}
			return r.Session.Speech
		}
		change(call.Change{Speech: &call.Speech{Voice: "Alice", Language: "en-GB", RecognizerLanguage: "en-GB", FallbackRecognizer: "other"}})
		if got, want := change(call.Change{ResetVoice: true}), (call.Speech{Vendor: "default", Language: "fr-FR", Recognizer: "acme", RecognizerLanguage: "en-GB", FallbackRecognizer: "other"}); got != want {
			t.Errorf("the voice reset: %+v", got)
		}
		if got := change(call.Change{ResetRecognizer: true}); got != own {
			t.Errorf("the recognizer reset: %+v", got)
		}
		want := own
		want.Voice = "Marie"
		if got := change(call.Change{ResetVoice: true, Speech: &call.Speech{Voice: "Marie"}}); got != want {
			t.Errorf("reset and set: %+v", got)
		}
	})
}

// TestRedirectWhoeverIsThere: a request that takes the other party along, if there
// is one, is done also where there is none.
func TestRedirectWhoeverIsThere(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		caller, id, _ := w.arrive(script.Dial{Targets: users("201")})
		next := w.doc("http://app/next", play("clip:100"))
		if err := modify(w, id, call.Change{Child: &next, AnyChild: true, Script: &next}); err != nil {
			t.Fatal(err)
		}
		hears(t, "the caller", caller, 300)
		pass(3 * time.Second)
		w.ends(id, call.Completed)
	})
}
