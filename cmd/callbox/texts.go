package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"callbox/api"
	"callbox/api/hook"
	"callbox/call"
	"callbox/call/number"
	"callbox/call/text"
	"callbox/call/toll"
	"callbox/hal"
	"callbox/hal/sms"
	"callbox/storage"
	"callbox/storage/config"
)

// textStore keeps text messages in the database.
type textStore struct{ *storage.Store }

// LoadTexts gives what is kept.
func (s textStore) LoadTexts() ([]text.Entry, error) {
	list, err := s.Kept()
	if err != nil {
		return nil, err
	}
	out := make([]text.Entry, len(list))
	for i, k := range list {
		out[i] = text.Entry{Key: k.Key, Value: k.Value}
	}
	return out, nil
}

// SaveTexts writes entries and notices together.
func (s textStore) SaveTexts(ctx context.Context, entries []text.Entry, notices []call.Notice) error {
	w := storage.Write{Notices: notices}
	for _, e := range entries {
		w.Kept = append(w.Kept, storage.Kept{Key: e.Key, Value: e.Value})
	}
	return s.Commit(ctx, w)
}

// textTeller tells applications of text messages.
type textTeller struct{ d *hook.Deliverer }

// TextStatus tells a message's hook.
func (t textTeller) TextStatus(m call.Message) []call.Notice { return t.d.TextStatus(m) }

// TextArrived asks an application about a message.
func (t textTeller) TextArrived(m call.Message, p text.Plan) []call.Notice {
	return t.d.TextArrived(m, p.Hook, p.Fallback)
}

// openTexts makes the office for text messages.
func (a *app) openTexts() error {
	var err error
	a.texts, err = text.New(text.Config{
		Store: textStore{a.store}, Teller: textTeller{a.deliver}, Lines: a.lines.texters, Plan: a.inbound.planText, Owned: a.inbound.owned,
		Same: a.inbound.sameNumber, Join: sms.Join, Count: func(body string) int { return sms.Count(body, sms.TablesOf(a.config().Country)) },
		NewID: func(name string) string { return a.dialects.newID(name, string(api.MessageID)) },
		Admit: a.tolls.AdmitTexts, Log: a.log,
		Alert: func(account, what string) {
			a.alarms.add(call.Alert{Account: account, Type: call.AlertText, Text: what})
		},
	})
	if err != nil {
		return err
	}
	a.deliver.AnswerTexts(a.texts)
	return nil
}

// textReceiver takes what a modem's network brings for a line.
type textReceiver struct {
	house *text.House
	line  string
}

// TextArrived implements hal.TextReceiver.
func (r textReceiver) TextArrived(p hal.TextPart) error {
	return r.house.Arrived(r.line, call.TextPart(p))
}

// TextReported implements hal.TextReceiver.
func (r textReceiver) TextReported(x hal.TextReport) error {
	return r.house.Reported(r.line, call.TextReport{Ref: x.Ref, To: x.To, Done: x.Done, Final: x.Final, Text: x.Text})
}

// rememberTexts counts for the toll guards what this month's messages have used.
func rememberTexts(h *text.House, tolls *toll.Book, now time.Time) {
	h.Each(func(m call.Message) {
		if m.Direction != call.Inbound && m.Status != call.MessageFailed {
			tolls.RememberTexts(m.Account, m.Line, m.Segments, m.Created, now)
		}
	})
}

// texters are the lines that send text messages.
func (s *lineSet) texters() []text.Line {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []text.Line
	for _, r := range s.running {
		if l, ok := r.line.(text.Line); ok {
			out = append(out, l)
		}
	}
	return out
}

// owned reports whether a number arrives on a line by the configuration.
func (p *inbound) owned(line, called string) bool {
	snap := p.snap.Load()
	for _, n := range snap.Numbers {
		if n.Line == line && n.Number != "*" && fits(n.Number, called, snap.Country) {
			return true
		}
	}
	return false
}

// sameNumber reports whether two ways of writing mean one number.
func (p *inbound) sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	country := p.snap.Load().Country
	x, err := number.Parse(a, country)
	if err != nil || x.E164 == "" {
		return false
	}
	y, err := number.Parse(b, country)
	return err == nil && x.E164 == y.E164
}

// planText finds who gets a text message that arrived on a line for a number: the
// application of the number, or its own hooks.
func (p *inbound) planText(line, to string) text.Plan {
	snap := p.snap.Load()
	plan := text.Plan{API: p.api, Why: fmt.Sprintf("no number is configured for line %s (%s); add it to numbers and give it an application with an address for messages", line, to)}
	if len(snap.Accounts) > 0 {
		plan.Account = snap.Accounts[0].ID
	}
	for _, n := range snap.Numbers {
		if n.Line != "" && n.Line != line || n.Line != line && !fits(n.Number, to, snap.Country) {
			continue
		}
		plan.Account = ownerOf(snap, n)
		plan.API = cmp.Or(n.API, plan.API)
		hooks, name := n.Messaging, "number "+n.Number
		for _, x := range snap.Applications {
			if x.ID == n.Application && n.Application != "" {
				plan.Account, plan.Application, plan.API = x.Account, x.ID, cmp.Or(x.API, plan.API)
				hooks, name = first(n.Messaging, x.Messaging), "application "+x.Name
			}
		}
		plan.Hook, plan.Fallback = hooks.Message, hooks.MessageFallback
		plan.Why = name + " has no address for messages (its message hook)"
		return plan
	}
	return plan
}

// first is the number's own hooks where it has one for messages, else those of its
// application.
func first(own, app config.Messaging) config.Messaging {
	if !own.Message.IsZero() {
		return own
	}
	return app
}
