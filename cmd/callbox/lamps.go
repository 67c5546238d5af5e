package main

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"callbox/api"
	"callbox/call"
	"callbox/call/lamp"
	"callbox/call/line/fxs"
	"callbox/sip"
	"callbox/sip/document"
	"callbox/storage"
	"callbox/storage/config"
)

// The event packages that telephones may subscribe to.
const (
	eventDialog   = "dialog"          // who is on the phone (RFC 4235)
	eventMessages = "message-summary" // how many messages wait (RFC 3842)
)

// eventPackages are those of the SIP side.
func (a *app) eventPackages() []sip.EventPackage {
	return []sip.EventPackage{
		{Name: eventDialog, Type: document.DialogInfoType, Document: a.dialogInfo},
		{Name: eventMessages, Type: document.MessageSummaryType, Document: a.messageSummary, Unasked: true},
	}
}

// newLamps makes the board of who is on the phone.
func (a *app) newLamps() *lamp.Board {
	return lamp.NewBoard(func(line string) { a.stack.Changed(eventDialog, line) })
}

// dialogInfo tells what a line is doing. Whom a colleague speaks with is nobody's
// business: the other party is told to the line's own telephones only.
func (a *app) dialogInfo(q sip.Question) sip.Document {
	line, ok := a.watchable(q.User, q.Resource)
	if !ok {
		return sip.Document{Status: 404}
	}
	now := []document.Dialog{}
	for _, t := range a.lamps.Line(line) {
		d := document.Dialog{ID: t.Call, Initiator: t.Placed, State: dialogState(t.State)}
		if q.User == line {
			d.Remote, d.RemoteName = partyURI(t.Remote, q.Host), t.RemoteName
		}
		d.Pick = a.pick(q, line, t)
		now = append(now, d)
	}
	last, known := q.Last.([]document.Dialog)
	return sip.Document{Key: line, State: now, Body: document.DialogInfo(q.Entity, q.Version, now, last, !known)}
}

// pick is how a user's telephone may pick up what rings on a line; the zero value: it
// may not.
func (a *app) pick(q sip.Question, line string, t lamp.Talk) document.Pick {
	l, ok := a.lines.Line(line)
	if !ok || t.Placed || t.State != call.Ringing || l.Kind() != call.User && l.Kind() != call.FXS ||
		a.inbound.Replace(call.LegInfo{Kind: call.User, Line: q.User}, call.LegInfo{Kind: l.Kind(), Line: line}, false) != nil {
		return document.Pick{}
	}
	target := "sip:" + line + "@" + q.Host
	if l.Kind() == call.FXS { // it has no dialog of SIP: its call stands for one
		return document.Pick{CallID: t.Call + standsFor, LocalTag: "phone", RemoteTag: "box", Target: target}
	}
	if r, ok := a.stack.Ringing(t.Dialog); ok && t.Dialog != "" {
		return document.Pick{CallID: r.CallID, LocalTag: r.RemoteTag, RemoteTag: r.LocalTag, Target: target}
	}
	return document.Pick{}
}

// standsFor ends the Call-ID of what rings at an analogue phone, as documents name it.
const standsFor = "@port"

// rings finds what rings at an analogue phone by that Call-ID.
func (a *app) rings(callID string) any {
	id, ok := strings.CutSuffix(callID, standsFor)
	if !ok {
		return nil
	}
	if leg := a.engine.Ringing(id); leg != nil && leg.Info().Kind == call.FXS {
		return leg
	}
	return nil
}

// dialogState is how RFC 4235 names the state of a call that is not over.
func dialogState(s call.State) document.State {
	switch s {
	case call.InProgress:
		return document.Confirmed
	case call.Ringing:
		return document.Early
	}
	return document.Trying
}

// partyURI is the address of somebody who was called, or called; empty when it is
// hidden.
func partyURI(party, host string) string {
	switch {
	case party == "" || strings.EqualFold(party, "anonymous"):
		return ""
	case strings.HasPrefix(party, "sip:") || strings.HasPrefix(party, "sips:"):
		return party
	}
	return "sip:" + strings.TrimPrefix(party, "client:") + "@" + host
}

// watchable is the line that a user means by a name or number, if it may be
// watched: the users of the same account, and the box's own phones and trunks.
func (a *app) watchable(user, name string) (line string, ok bool) {
	snap := a.accounts.snap.Load()
	account := ""
	for _, u := range snap.Users {
		if u.Name == user {
			account = userAccount(snap, u)
		}
	}
	for _, u := range snap.Users {
		if (u.Name == name || u.Number != "" && fits(u.Number, name, snap.Country)) && !u.Disabled && userAccount(snap, u) == account {
			return u.Name, true
		}
	}
	for _, p := range snap.Phones {
		if p.Name == name && name != "" || p.Number != "" && fits(p.Number, name, snap.Country) {
			name = p.Port
		}
	}
	l, known := a.lines.Line(name)
	if !known || name == sipLine || l.Kind() == call.User {
		return "", false
	}
	for _, t := range snap.Trunks {
		if t.Name == name && t.Account != "" && t.Account != account {
			return "", false
		}
	}
	return name, true
}

// userAccount is the account of a user.
func userAccount(s *config.Snapshot, u config.User) string {
	if u.Account != "" {
		return u.Account
	}
	return firstOf(s)
}

// messageSummary tells a user's own telephones how many messages wait. Nobody who
// never had one is told unasked.
func (a *app) messageSummary(q sip.Question) sip.Document {
	if q.Resource != q.User {
		if line, ok := a.watchable(q.User, q.Resource); !ok || line != q.User {
			return sip.Document{Status: 404}
		}
	}
	n, ever := a.mailboxes.of(q.User)
	doc := sip.Document{Key: q.User, State: n}
	if q.Unasked && q.Last == nil && !ever || q.Last == n {
		return doc
	}
	doc.Body = document.MessageSummary("sip:"+q.User+"@"+q.Host, document.Messages(n))
	return doc
}

// messagesBlob is under which name the counts of waiting messages are kept.
const messagesBlob = "messages-waiting"

// mailboxes are how many messages wait for the users. It is bounded by the users
// there are.
type mailboxes struct {
	app *app

	mu     sync.Mutex // guards counts
	counts map[string]api.Waiting
}

var _ api.Mailboxes = (*mailboxes)(nil)

// openMailboxes reads them.
func (a *app) openMailboxes() error {
	a.mailboxes = &mailboxes{app: a, counts: map[string]api.Waiting{}}
	blob, err := a.store.Blob(messagesBlob)
	if errors.Is(err, storage.ErrNoBlob) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(blob, &a.mailboxes.counts); err != nil {
		// A lamp too few is no reason not to start.
		a.log.Error("the counts of waiting messages cannot be read and are forgotten", "err", err)
		a.mailboxes.counts = map[string]api.Waiting{}
	}
	return nil
}

// of tells how many messages wait for a user, and whether it was ever said.
func (m *mailboxes) of(user string) (n api.Waiting, ever bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, ever = m.counts[user]
	return n, ever
}

// Waiting implements api.Mailboxes.
func (m *mailboxes) Waiting(account, user string) (api.Waiting, error) {
	if !slices.Contains(m.users(account), user) {
		return api.Waiting{}, call.ErrNotFound
	}
	n, _ := m.of(user)
	return n, nil
}

// SetWaiting implements api.Mailboxes.
func (m *mailboxes) SetWaiting(ctx context.Context, account, user string, w api.Waiting) error {
	if !slices.Contains(m.users(account), user) {
		return call.ErrNotFound
	}
	return m.set(ctx, user, w)
}

// AllWaiting tells it of every user.
func (m *mailboxes) AllWaiting() map[string]api.Waiting {
	out := map[string]api.Waiting{}
	for _, u := range m.users("") {
		out[u], _ = m.of(u)
	}
	return out
}

// SetAnyWaiting keeps it for a user of any account; the errors are SetWaiting's.
func (m *mailboxes) SetAnyWaiting(ctx context.Context, user string, w api.Waiting) error {
	if !slices.Contains(m.users(""), user) {
		return call.ErrNotFound
	}
	return m.set(ctx, user, w)
}

// users lists the names of the users of an account and, of the first one, the ports
// of analogue phones; with "" of all.
func (m *mailboxes) users(account string) []string {
	snap := m.app.accounts.snap.Load()
	var out []string
	for _, u := range snap.Users {
		if account == "" || userAccount(snap, u) == account {
			out = append(out, u.Name)
		}
	}
	if b := m.app.board; b != nil && (account == "" || len(snap.Accounts) > 0 && snap.Accounts[0].ID == account) {
		for _, p := range b.Ports {
			if p.Phone != nil {
				out = append(out, p.Name)
			}
		}
	}
	return out
}

// set keeps and tells a count, and forgets those of users that are gone.
func (m *mailboxes) set(ctx context.Context, user string, w api.Waiting) error {
	if err := w.Validate(); err != nil {
		return err
	}
	users := m.users("")
	m.mu.Lock()
	defer m.mu.Unlock()
	next := maps.Clone(m.counts)
	next[user] = w
	maps.DeleteFunc(next, func(name string, _ api.Waiting) bool { return !slices.Contains(users, name) })
	blob, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := m.app.store.PutBlob(ctx, messagesBlob, blob); err != nil {
		return err
	}
	m.counts = next
	m.app.stack.Changed(eventMessages, user)
	if l, ok := m.app.lines.Line(user); ok {
		if phone, ok := l.(*fxs.Line); ok {
			phone.SetMessages(w.New)
		}
	}
	return nil
}
