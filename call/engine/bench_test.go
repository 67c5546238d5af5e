package engine

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media"
)

// idle is everything around an engine at no cost, so that what is measured is
// the engine's own.
type idle struct {
	n    atomic.Int64
	ends chan struct{}
}

func (*idle) ID() string                                 { return "line" }
func (*idle) Kind() call.Kind                            { return call.User }
func (*idle) Serve(context.Context, call.Receiver) error { return nil }
func (i *idle) Line(string) (call.Line, bool)            { return i, true }
func (*idle) Plan(call.LegInfo) Plan                     { return Plan{} }
func (*idle) Add(media.Ticker)                           {}
func (*idle) Remove(media.Ticker)                        {}
func (*idle) Create(context.Context, call.Record) error  { return nil }
func (*idle) Append(call.Event, bool)                    {}
func (*idle) AppendRecording(call.Recording)             {}
func (*idle) Backlog() int                               { return 0 }
func (*idle) Call(context.Context, string, string) (call.Record, error) {
	return call.Record{}, call.ErrNotFound
}
func (*idle) Calls(context.Context, call.Filter) (call.Page, error) { return call.Page{}, nil }
func (*idle) Delete(context.Context, string, string) error          { return nil }
func (*idle) ByIdempotency(context.Context, string, string) (call.Record, bool) {
	return call.Record{}, false
}
func (*idle) Decode(context.Context, call.Record, call.ScriptSource) (script.Document, error) {
	return script.Document{}, nil
}
func (*idle) Fetch(context.Context, call.Hook, call.Record, *script.Result) (script.Document, error) {
	return script.Document{}, nil
}
func (*idle) Open(context.Context, string) (media.Clip, error)         { return nil, io.EOF }
func (*idle) Speak(context.Context, script.Speech) (media.Clip, error) { return nil, io.EOF }
func (i *idle) Publish(ev call.Event) {
	if ev.Type == call.EventEnded {
		i.ends <- struct{}{}
	}
}
func (*idle) Route(script.Target, string) (Route, error) {
	return Route{Attempts: []Attempt{{Line: "line", To: "1"}}}, nil
}
func (*idle) Dial(context.Context, call.Dial) (call.Leg, error) {
	leg := newFarLeg(call.LegInfo{})
	leg.ring()
	leg.answer()
	return leg, nil
}

// BenchmarkCall creates a call that rings, is answered, runs an empty document
// and ends. A leg of the test is part of the figures.
func BenchmarkCall(b *testing.B) {
	i := &idle{ends: make(chan struct{}, 1)}
	type noFiles struct{ Files }
	e, err := New(Config{Lines: i, Router: i, Inbound: i, Scheduler: i, Journal: i, Publisher: i, Fetcher: i, Prompts: i,
		Files: noFiles{}, NewID: func(string, string) string { return fmt.Sprint(i.n.Add(1)) },
		Ringback: func(string) media.Clip { return nil }, Tones: func(string, time.Duration) (media.Clip, error) { return nil, io.EOF }})
	if err != nil {
		b.Fatal(err)
	}
	src := call.ScriptSource{Main: call.Hook{URL: "http://app/voice"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := e.Create(context.Background(), call.Request{Account: "acct", To: "1", Script: src, TimeLimit: time.Minute}); err != nil {
			b.Fatal(err)
		}
		<-i.ends
	}
	e.Shutdown(context.Background())
}
