package main

import (
	"context"
	"log/slog"

	"callbox/api/hook"
	"callbox/api/jambonz"
	"callbox/api/jambonz/socket"
	"callbox/api/stream"
	"callbox/call"
	"callbox/call/event"
	"callbox/call/lamp"
	"callbox/call/script"
	"callbox/call/trace"
)

// newSockets makes what speaks to applications over websockets. They are those
// of one dialect, d.
func newSockets(d *jambonz.Dialect, hooks *hook.Client, log *slog.Logger) *socket.Hub {
	return socket.New(socket.Config{Dialect: d, Transport: hooks.Transport(), Explain: hooks.Explain,
		UserAgent: "callbox/" + version, Log: log, Secret: func(id string) string { return hooks.Secret(d, id) }})
}

// newStreams makes what carries the sound of calls to applications.
func newStreams(d dialects, hooks *hook.Client, log *slog.Logger) *stream.Client {
	return stream.New(stream.Config{Dialects: d.all(), Transport: hooks.Transport(), Secret: hooks.Secret,
		UserAgent: "callbox/" + version, Log: log})
}

// fetcher asks applications in the way that their addresses name.
type fetcher struct {
	*hook.Client
	sockets *socket.Hub
	alarms  *alarms
}

var _ script.Fetcher = fetcher{}

// Fetch asks h for a document.
func (f fetcher) Fetch(ctx context.Context, h call.Hook, rec call.Record, res *script.Result) (script.Document, error) {
	doc, err := f.fetch(ctx, h, rec, res)
	if err != nil && ctx.Err() == nil {
		f.alarms.fetchFailed(rec.Account, rec.ID, err)
	}
	return doc, err
}

// fetch is Fetch without its alert.
func (f fetcher) fetch(ctx context.Context, h call.Hook, rec call.Record, res *script.Result) (script.Document, error) {
	if socket.Serves(h.URL) {
		return f.sockets.Fetch(ctx, h, rec, res)
	}
	if res == nil {
		f.sockets.Leave(rec.ID) // the call goes on to an application that is asked by HTTP
	}
	return f.Client.Fetch(ctx, h, rec, res)
}

// publisher hands events to whoever listens now.
type publisher struct {
	bus     *event.Bus
	sockets *socket.Hub
	trace   *trace.Ring
	lamps   *lamp.Board
}

// Publish hands over one event. It does not block.
func (p publisher) Publish(ev call.Event) {
	p.bus.Publish(ev)
	p.sockets.Publish(ev)
	p.trace.Publish(ev)
	p.lamps.Publish(ev)
}
