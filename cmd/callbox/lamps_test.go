package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"callbox/api"
	"callbox/call"
	"callbox/call/lamp"
	"callbox/sip"
	"callbox/storage/config"
)

// portLine is a line that does nothing but be there.
type portLine struct {
	id   string
	kind call.Kind
}

func (l portLine) ID() string                                        { return l.id }
func (l portLine) Kind() call.Kind                                   { return l.kind }
func (l portLine) Serve(ctx context.Context, _ call.Receiver) error  { <-ctx.Done(); return nil }
func (l portLine) Dial(context.Context, call.Dial) (call.Leg, error) { return nil, call.ErrLimit }

// TestWatchable: whom a telephone may watch, by which names.
func TestWatchable(t *testing.T) {
	snap := office()
	snap.Accounts = append(snap.Accounts, config.Account{ID: "AC2", Token: "u"})
	snap.Users = append(snap.Users, config.User{Name: "eve", Number: "401", Account: "AC2"}, config.User{Name: "off", Disabled: true})
	snap.Trunks = append(snap.Trunks, config.Trunk{Name: "theirs", Host: "192.0.2.9", Carrier: config.Carrier{Account: "AC2"}})
	a := &app{accounts: &accounts{}, lines: newLineSet(nil, slog.New(slog.DiscardHandler))}
	a.accounts.snap.Store(&snap)
	a.lamps = lamp.NewBoard(func(string) {})
	var want []wantedLine
	for _, l := range []portLine{{"fxs1", call.FXS}, {"provider", call.Trunk}, {"theirs", call.Trunk}, {sipLine, call.Trunk}, {"alice", call.User}, {"eve", call.User}} {
		want = append(want, wantedLine{id: l.id, make: func() (call.Line, error) { return l, nil }})
	}
	a.lines.set(want)
	t.Cleanup(a.lines.close)
	for _, tc := range []struct{ user, name, want string }{
		{"bob", "alice", "alice"}, {"bob", "201", "alice"}, {"bob", "bob", "bob"},
		{"bob", "fxs1", "fxs1"}, {"bob", "reception", "fxs1"}, {"bob", "301", "fxs1"}, {"bob", "provider", "provider"},
		// Another account's, what is switched off, the line for bare addresses, nobody.
		{"bob", "eve", ""}, {"bob", "401", ""}, {"eve", "alice", ""}, {"bob", "theirs", ""}, {"eve", "theirs", "theirs"},
		{"bob", "off", ""}, {"bob", sipLine, ""}, {"bob", "", ""}, {"bob", "nobody", ""},
	} {
		got, ok := a.watchable(tc.user, tc.name)
		if got != tc.want || ok != (tc.want != "") {
			t.Errorf("%s watches %q: %q, %v, want %q", tc.user, tc.name, got, ok, tc.want)
		}
	}

	// Whom somebody speaks with is told to its own telephones, and nobody who hides.
	for id, from := range map[string]string{"1": "+14155550100", "2": "anonymous"} {
		a.lamps.Publish(call.Event{Type: call.EventAnswered, Record: &call.Record{ID: id, Line: "alice", Direction: call.OutboundAPI, State: call.InProgress, From: from}})
	}
	own := string(a.dialogInfo(sip.Question{User: "alice", Resource: "alice", Host: "biloxi.example", Entity: "sip:alice@biloxi.example"}).Body)
	if !strings.Contains(own, "sip:+14155550100@biloxi.example") || strings.Contains(own, "anonymous") || strings.Count(own, "<state>confirmed</state>") != 2 {
		t.Errorf("alice is told\n%s", own)
	}
	if other := string(a.dialogInfo(sip.Question{User: "bob", Resource: "201", Host: "biloxi.example"}).Body); strings.Contains(other, "5550100") || strings.Count(other, "confirmed") != 2 {
		t.Errorf("bob is told\n%s", other)
	}
	if d := a.dialogInfo(sip.Question{User: "bob", Resource: "eve"}); d.Status != 404 {
		t.Errorf("a neighbour of another account: %+v", d)
	}
}

// TestMailboxes: counts are kept for the account's own users only.
func TestMailboxes(t *testing.T) {
	a := startApp(t)
	ctx := t.Context()
	account := a.config().Accounts[0].ID
	if err := a.change(ctx, func(s *config.Snapshot) error {
		s.Accounts = append(s.Accounts, config.Account{ID: "AC" + strings.Repeat("2", 32), Token: "0123456789abcdef0123456789abcdef"})
		s.Users = append(s.Users, config.User{Name: "alice", Password: "a1l2i3c4e5"})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := a.mailboxes.SetWaiting(ctx, account, "alice", api.Waiting{New: 2}); err != nil {
		t.Fatal(err)
	}
	if n, err := a.mailboxes.Waiting(account, "alice"); err != nil || n.New != 2 {
		t.Errorf("%+v, %v", n, err)
	}
	for _, err := range []error{
		a.mailboxes.SetWaiting(ctx, "AC"+strings.Repeat("2", 32), "alice", api.Waiting{}),
		a.mailboxes.SetWaiting(ctx, account, "bob", api.Waiting{}),
	} {
		if !errors.Is(err, call.ErrNotFound) {
			t.Errorf("%v", err)
		}
	}
	if d := a.messageSummary(sip.Question{User: "alice", Resource: "alice", Host: "biloxi.example"}); !strings.Contains(string(d.Body), "Voice-Message: 2/0") {
		t.Errorf("alice is told %q", d.Body)
	}
	if d := a.messageSummary(sip.Question{User: "bob", Resource: "alice", Host: "biloxi.example"}); d.Status != 404 {
		t.Errorf("a neighbour is told %q", d.Body)
	}
	if d := a.messageSummary(sip.Question{User: "bob", Resource: "bob", Unasked: true}); d.Body != nil {
		t.Errorf("who never had a message is told %q", d.Body)
	}
}
