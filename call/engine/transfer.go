package engine

import (
	"context"
	"errors"
	"strings"
	"time"

	"callbox/call"
	"callbox/call/script"
)

// Transfers decides about transfers that far ends want, and about calls that are
// to take the place of others.
type Transfers interface {
	// Target says what happens to a call that the far end of a leg wants transferred:
	// what would if that far end had called the target itself.
	Target(by call.LegInfo, t *call.Transfer) Plan
	// Replace says, as a call.Cause, why an arriving leg may not take the place of
	// another; nil: it may. answered tells whether that one has been answered.
	Replace(by, of call.LegInfo, answered bool) error
}

// hookTime bounds the question to an application what is to become of a transfer:
// the far end repeats its request for 32 s (RFC 3261 §17.1.2.2).
const hookTime = 20 * time.Second

// wish is a transfer that the far end of a call wants, until it is under way.
type wish struct {
	*call.Transfer
	by    *live
	leg   call.LegInfo
	link  *link // of by when it was told; nil: it is connected with nobody
	hook  call.Hook
	empty bool // an answer of hook without verbs leaves everything as it is
}

// onTransfer takes what the far end wants; it is decided beside the call.
func (c *live) onTransfer(t *call.Transfer) {
	w := &wish{Transfer: t, by: c, leg: c.leg.Info(), link: c.link, hook: c.r.Session.Transfers, empty: true}
	if w.link != nil && w.link.b.owner != nil && !w.link.b.owner.d.Transfers.IsZero() {
		w.hook, w.empty = w.link.b.owner.d.Transfers, w.link.b.owner.d.MayIgnore
	}
	c.e.tasks.Go(func() {
		if !w.hook.IsZero() {
			w.ask()
		} else if cause := w.decide(); cause != nil {
			w.refuse(*cause)
		}
	})
}

// partner is whom by is connected with, nil for nobody.
func (w *wish) partner() *live {
	switch {
	case w.link == nil:
		return nil
	case w.link.mine:
		return w.link.b.b
	}
	return w.link.b.a
}

// refuse tells the far end, and the record, that nothing comes of it.
func (w *wish) refuse(cause call.Cause) {
	control{c: w.by}.Tell(call.EventWarning, "the transfer to "+w.target()+" failed: "+cause.Error())
	w.report(cause)
}

// report tells the far end a failure: in the reports about the call that it wants,
// since phones take a refusal of the request for one of the whole.
func (w *wish) report(cause call.Cause) {
	status := failedWith(cause)
	if w.Reply.Silent() && w.Reply.Refuse(status) == nil {
		return
	}
	_ = w.Reply.Accept() // it may have been before, and the far end may have gone
	w.Reply.Progress(status, "")
}

// failedWith is the status of a call that failed with cause. That it was given up
// when nobody answered in time is told as such.
func failedWith(cause call.Cause) int {
	if s := cause.SIPStatus(); s != 487 {
		return s
	}
	return 480
}

// target names the target in sentences.
func (w *wish) target() string {
	if w.To != "" {
		return w.To
	}
	return w.URI
}

// name is how sentences call the far end of a call.
func (c *live) name() string {
	r := c.rec.Load()
	if r.Direction == call.Inbound {
		return r.From
	}
	return strings.TrimPrefix(r.To, "client:")
}

// decide carries the transfer out as the far end wants it, as the box's own rules
// allow. A cause says why nothing comes of it.
func (w *wish) decide() *call.Cause {
	no := func(q850, sip int, text string) *call.Cause {
		return &call.Cause{Q850: q850, SIP: sip, Who: call.Box, Text: text}
	}
	partner := w.partner()
	switch {
	case !w.Trusted:
		cause := no(call.Q850Rejected, 603, "line "+w.leg.Line+" may not have calls transferred; allow it in its configuration, or have an application decide")
		control{c: w.by}.Tell(call.EventWarning, strings.TrimSpace("the transfer to "+w.target()+" was declined: "+cause.Text+" "+w.code()))
		_ = w.Reply.Refuse(cause.SIP)
		return nil
	case w.Attended && w.Replaces == nil:
		return no(call.Q850Temporary, w.Missing, "the call whose party "+w.by.name()+" wants to transfer to does not exist, or can not be taken over")
	case w.Attended:
		return w.attend()
	case partner == nil:
		return no(call.Q850Rejected, 603, w.by.name()+" is not connected with a party that could be transferred")
	case w.by.e.cfg.Transfers == nil:
		return w.move(Plan{})
	}
	plan := w.by.e.cfg.Transfers.Target(w.leg, w.Transfer)
	if plan.Refuse != nil {
		return plan.Refuse
	}
	return w.move(plan)
}

// code is what the document that made the connection adds to a warning about a
// transfer that it does not provide for.
func (w *wish) code() string {
	if w.link == nil || w.link.b.owner == nil {
		return ""
	}
	return w.link.b.owner.d.Refusals.Transfer
}

// ask lets the application decide.
func (w *wish) ask() {
	e := w.by.e
	ctx, cancel := context.WithTimeout(context.Background(), hookTime)
	defer cancel()
	partner := w.partner()
	about := &script.TransferWish{To: w.To, URI: w.URI, By: w.By, ByUser: w.User, Referrer: w.by.id,
		Attended: w.Attended, Headers: w.Headers, UserAgent: w.UserAgent}
	if partner != nil {
		about.Referred = partner.id
	}
	k := control{c: w.by}
	k.Tell(call.EventFetch, script.BareURL(w.hook.URL))
	doc, err := e.cfg.Fetcher.Fetch(ctx, w.hook, w.by.snapshot(), &script.Result{Verb: script.TransferEvent, Transfer: about})
	if err != nil {
		k.Tell(call.EventWarning, "the application could not be asked for the transfer to "+w.target()+": "+err.Error())
		status := 500
		var fe *script.FetchError
		if errors.As(err, &fe) && fe.Status >= 400 && fe.Status < 700 {
			status = fe.Status
		}
		_ = w.Reply.Refuse(status)
		return
	}
	for _, text := range doc.Warnings {
		k.Tell(call.EventWarning, text)
	}
	if w.Reply.Accept() != nil && partner == nil {
		return
	}
	if len(doc.Verbs) == 0 && w.empty {
		w.by.do(context.Background(), func() { w.by.promised = w.Reply }) // the application goes on by itself
		return
	}
	w.Reply.Progress(200, "")
	if partner == nil {
		w.by.runInstead(doc)
		return
	}
	w.tell(w.by, partner)
	w.by.moved(w.by.name() + " was transferred away by the application")
	partner.runInstead(doc)
	w.by.finish()
}

// tell notes a transfer in plain words with both calls that it concerns.
func (w *wish) tell(by, partner *live) {
	text := by.name() + " transferred " + partner.name() + " to " + w.target()
	for _, c := range []*live{by, partner} {
		control{c: c}.Tell(call.EventWarning, text)
	}
}

// runInstead drops the running document, and the Dial that has made or connected
// the call, and runs doc.
func (c *live) runInstead(doc script.Document) {
	c.do(context.Background(), func() {
		if !c.r.State.Final() {
			c.take(successor{doc: &doc})
		}
	})
}

// moved says why a call will end whose partner went on to somebody else.
func (c *live) moved(text string) {
	c.do(context.Background(), func() {
		c.gave = &call.Cause{Q850: call.Q850Normal, Who: call.Peer, Text: text}
	})
}

// finish ends a call whose partner went on to somebody else.
func (c *live) finish() {
	c.do(context.Background(), func() {
		cause := call.NormalClearing(call.Peer)
		if c.gave != nil {
			cause = *c.gave
		}
		c.end(cause)
	})
}
