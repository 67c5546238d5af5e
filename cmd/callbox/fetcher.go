package main

import (
	"context"
	"log/slog"

	"callbox/api"
	"callbox/api/hook"
	"callbox/api/jambonz/socket"
	"callbox/call"
	"callbox/call/event"
	"callbox/call/script"
	"callbox/call/trace"
)

// newSockets makes what speaks to applications over websockets. They are those
// of one dialect, d.
func newSockets(d interface {
	socket.Dialect
	api.KeyHolder
}, hooks *hook.Client, accounts *accounts, log *slog.Logger) *socket.Hub {
	return socket.New(socket.Config{Dialect: d, Transport: hooks.Transport(), Explain: hooks.Explain,
		UserAgent: "callbox/" + version, Log: log, Secret: func(id string) string {
			a, ok := accounts.Account(id)
			if !ok {
				return ""
			}
			return d.SigningKey(a)
		}})
}

// fetcher asks applications in the way that their addresses name.
type fetcher struct {
	*hook.Client
	sockets *socket.Hub
}

var _ script.Fetcher = fetcher{}

// Fetch asks h for a document.
func (f fetcher) Fetch(ctx context.Context, h call.Hook, rec call.Record, res *script.Result) (script.Document, error) {
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
}

// Publish hands over one event. It does not block.
func (p publisher) Publish(ev call.Event) {
	p.bus.Publish(ev)
	p.sockets.Publish(ev)
	p.trace.Publish(ev)
}
