package twiml_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"callbox/api/apitest"
	"callbox/api/laml/twiml"
	"callbox/call"
	"callbox/call/script"
)

// told is a call of which only is kept what it is told.
type told struct {
	script.Control
	lines []string
}

func (*told) Record() *call.Record         { return &call.Record{} }
func (*told) Answer(context.Context) error { return nil }
func (t *told) Tell(e call.EventType, note string) {
	if e == call.EventWarning {
		t.lines = append(t.lines, note)
	}
}

// one gives the same document for every address.
type one struct {
	script.Fetcher
	doc script.Document
}

func (o one) Fetch(context.Context, call.Hook, call.Record, *script.Result) (script.Document, error) {
	return o.doc, nil
}

// fullRooms have no room, and analogue is a far end that does not speak SIP.
type (
	fullRooms struct{ script.Rooms }
	analogue  struct{ script.Signaller }
)

func (fullRooms) Enqueue(context.Context, script.Enqueue) (script.QueueResult, error) {
	return script.QueueResult{Outcome: call.QueueFull}, nil
}

func (analogue) Refer(context.Context, script.Referral, func(int)) (script.ReferResult, error) {
	return script.ReferResult{}, script.ErrNotSIP
}

// TestFaultWarnings holds what a call is told of verbs of a document that fail
// while they run, by where the document is run, with the numbers of the family.
func TestFaultWarnings(t *testing.T) {
	screen := func(ctx context.Context, env script.Env) { script.Runner{}.Screen(ctx, env, call.Hook{URL: docURL}) }
	wait := func(ctx context.Context, env script.Env) {
		if err := (script.Runner{}).Aside(ctx, env, call.Hook{URL: docURL}, nil); err != nil && !errors.Is(err, call.ErrEnded) {
			t.Error(err)
		}
	}
	main := func(ctx context.Context, env script.Env) {
		script.Runner{}.Run(ctx, &env, &call.ScriptSource{Main: call.Hook{URL: docURL}})
	}
	var out strings.Builder
	for _, tc := range []struct {
		where string
		run   func(context.Context, script.Env)
		body  string
	}{
		{"a document for who is called", screen, `<Response><Dial>+15550100199</Dial></Response>`},
		{"a document for who is called", screen, `<Response><Dial><Conference>room</Conference></Dial></Response>`},
		{"a document for those who wait", wait, `<Response><Dial>+15550100199</Dial></Response>`},
		{"a document for those who wait", wait, `<Response><Enqueue>support</Enqueue></Response>`},
		{"a document for those who wait", wait, `<Response><Dial><Queue>support</Queue></Dial></Response>`},
		{"a call's document", main, `<Response><Enqueue>support</Enqueue></Response>`},
		{"a call's document", main, `<Response><Refer><Sip>sip:bob@biloxi.example</Sip></Refer></Response>`},
	} {
		doc, err := twiml.Decode([]byte(tc.body), "text/xml", docURL)
		if err != nil {
			t.Fatal(err)
		}
		c := &told{}
		tc.run(t.Context(), script.Env{Control: hangs{c}, Fetcher: one{doc: doc}, Rooms: fullRooms{}, Signaller: analogue{}})
		fmt.Fprintf(&out, "=== %s\nin %s\nout %s\n", tc.where, tc.body, strings.Join(c.lines, "\nout "))
	}
	apitest.Golden(t, "faults.txt", out.String())
}

// hangs is told with an end.
type hangs struct{ *told }

func (hangs) Hangup(call.Cause) {}

// TestContentTypeAnswers holds what is told of answers that are no document.
func TestContentTypeAnswers(t *testing.T) {
	var out strings.Builder
	for _, tc := range [][2]string{{"application/json", "{}"}, {"", "hello"}, {"text/plain", "\xff"}, {"text/xml", ""}} {
		_, err := twiml.Decode([]byte(tc[1]), tc[0], docURL)
		var fe *script.FetchError
		if !errors.As(err, &fe) {
			t.Fatalf("%q: %v", tc, err)
		}
		fmt.Fprintf(&out, "%s %q: %d %s\n", tc[0], tc[1], fe.Code, fe)
	}
	apitest.Golden(t, "content-types.txt", out.String())
}
