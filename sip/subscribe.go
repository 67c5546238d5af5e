package sip

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/wire"
)

// How many subscriptions one user, and all users, may have at a time. A telephone
// with its expansion modules watches up to a hundred lines.
const (
	maxSubscriptions    = 256
	maxAllSubscriptions = 4096
)

// comeBack is after how many seconds phones may try again whose subscriptions
// end because their user's line, or the box, is started again.
const comeBack = 5

// EventPackage is an event package (RFC 6665) that the phones of users may
// subscribe to.
type EventPackage struct {
	Name string // "dialog"
	Type string // media type of its documents
	// Unasked says that phones without a subscription are told too: when they
	// register, and when the state of their user changes.
	Unasked bool
	// Document writes what a subscriber is told. It may be called concurrently and
	// must not block.
	Document func(q Question) Document
}

// Question is what an event package is asked to write.
type Question struct {
	User     string // who asks
	Resource string // user part of the URI that was subscribed to
	Host     string // its host
	Entity   string // that URI without its parameters
	Version  uint32 // counts the documents of a subscription, from 0
	// Last is Document.State of the document before; nil: there was none, or it may
	// have got lost, so that the whole state must be told.
	Last any
	// Unasked says that a phone is told that has no subscription.
	Unasked bool
}

// Document is what a subscriber is told.
type Document struct {
	// Status refuses the subscription, or ends it, with 403 or 404; 0 or 200: neither.
	Status int
	// Body may be nil when Last was given and nothing has changed since; with
	// Question.Unasked also when the phone needs not be told.
	Body  []byte
	State any // for Question.Last; not nil
	// Key is what Changed names to have a new document written.
	Key string
}

// subscriptions are those of all users.
type subscriptions struct {
	mu       sync.Mutex // guards the rest
	byTag    map[string]*subscription
	perUser  map[string]int
	changed  map[change]struct{} // to be told of soon
	leaving  int                 // last notifications that wait for their answer
	isClosed bool
}

// change says that documents have changed; an empty key: all of the package.
type change struct{ pkg, key string }

// subscription is one subscriber's interest in one resource.
type subscription struct {
	s        *Stack
	pkg      *EventPackage
	user     string
	eventID  string // of its Event header, or empty
	contact  string // the subscriber's, as contactKey has it
	resource Question
	d        *Dialog // what its messages are made of; its lock guards the rest

	key     string
	expires time.Time
	timer   *wire.Timer // for expires
	pace    *wire.Timer // for the next notification
	sent    time.Time   // of the last one
	version uint32
	last    any
	waiting bool // a notification waits for its answer
	dirty   bool // something may have changed meanwhile
	over    bool
}

// packageOf finds an event package by the value of an Event header.
func (s *Stack) packageOf(event string) *EventPackage {
	for i := range s.cfg.Events {
		if strings.EqualFold(s.cfg.Events[i].Name, event) {
			return &s.cfg.Events[i]
		}
	}
	return nil
}

// allowEvents lists the event packages.
func (s *Stack) allowEvents() gosip.Header {
	names := make([]string, 0, len(s.cfg.Events))
	for _, p := range s.cfg.Events {
		names = append(names, p.Name)
	}
	return gosip.NewHeader("Allow-Events", strings.Join(names, ", "))
}

// eventOf reads the Event header (RFC 6665 §8.2.1) of a request.
func eventOf(m *gosip.Request) (name, id string) {
	h := m.GetHeader("Event")
	if h == nil {
		h = m.GetHeader("o")
	}
	if h == nil {
		return "", ""
	}
	parts := strings.Split(clean(h.Value()), ";")
	for _, p := range parts[1:] {
		if k, v, _ := strings.Cut(strings.TrimSpace(p), "="); strings.EqualFold(k, "id") {
			id = v
		}
	}
	return strings.TrimSpace(parts[0]), id
}

// wishOf is how long a SUBSCRIBE wants to be served; status 423: too short.
func (s *Stack) wishOf(req *gosip.Request) (d time.Duration, status int) {
	d = s.cfg.MaxExpires
	if h := req.GetHeader("Expires"); h != nil {
		if n, err := strconv.ParseUint(strings.TrimSpace(h.Value()), 10, 32); err == nil {
			d = min(time.Duration(n)*time.Second, s.cfg.MaxExpires)
		}
	}
	if d > 0 && d < s.cfg.MinExpires {
		return 0, 423
	}
	return d, 0
}

// accepts reports whether the sender of a SUBSCRIBE or INVITE understands a type
// (RFC 6665 §3.1.3, RFC 3261 §20.1: without an Accept header it does, with an empty one
// it understands nothing).
func accepts(req *gosip.Request, kind string) bool {
	hs := req.GetHeaders("Accept")
	for _, h := range hs {
		for _, a := range strings.Split(h.Value(), ",") {
			a, _, _ = strings.Cut(a, ";")
			a = strings.ToLower(strings.TrimSpace(a))
			main, _, _ := strings.Cut(kind, "/")
			if a == kind || a == "*/*" || a == main+"/*" {
				return true
			}
		}
	}
	return len(hs) == 0
}

// subscribe answers an authorized SUBSCRIBE that starts a subscription, or, with
// Expires 0, asks once (RFC 6665 §4.4.3).
func (s *Stack) subscribe(p *peer, req *gosip.Request, flow wire.Flow, tx *wire.ServerTx) {
	name, id := eventOf(req)
	pkg := s.packageOf(name)
	expires, short := s.wishOf(req)
	cs := contactsOf(req)
	switch {
	case !p.Register || p.Exchange:
		s.respond(tx, req, 403, "")
		return
	case pkg == nil:
		s.respond(tx, req, 489, "", s.allowEvents())
		return
	case len(cs) != 1 || cs[0].Address.Wildcard || cs[0].Address.Host == "":
		s.respond(tx, req, 400, "")
		return
	case !accepts(req, pkg.Type):
		s.respond(tx, req, 406, "", gosip.NewHeader("Accept", pkg.Type))
		return
	case short != 0:
		s.respond(tx, req, 423, "", s.minExpires())
		return
	}
	sub := s.newSubscription(p, pkg, id, req, flow)
	first := pkg.Document(sub.resource)
	if first.Status >= 300 {
		s.respond(tx, req, first.Status, "")
		return
	}
	sub.key = first.Key
	d := sub.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if status := s.enter(sub); status != 0 {
		s.respond(tx, req, status, "", gosip.NewHeader("Retry-After", "60"))
		return
	}
	sub.granted(req, tx, expires)
}

// newSubscription makes the subscription that req asks for.
func (s *Stack) newSubscription(p *peer, pkg *EventPackage, id string, req *gosip.Request, flow wire.Flow) *subscription {
	entity := req.Recipient
	entity.UriParams, entity.Headers = nil, nil
	sub := &subscription{s: s, pkg: pkg, user: p.Username, eventID: id, d: s.arriving(p, req, flow, nil)}
	sub.contact = contactKey(sub.d.path.target)
	sub.resource = Question{User: p.Username, Resource: userOf(req.Recipient), Host: clean(req.Recipient.Host), Entity: clean(entity.String())}
	return sub
}

func (s *Stack) minExpires() gosip.Header {
	return gosip.NewHeader("Min-Expires", strconv.Itoa(int((s.cfg.MinExpires+time.Second-1)/time.Second)))
}

// enter puts a new subscription into the table, in place of the one that the same
// phone had before it was started again. A status refuses it. It is called with
// sub.d.mu held, which nobody else knows yet.
func (s *Stack) enter(sub *subscription) (status int) {
	t := &s.subs
	t.mu.Lock()
	defer t.mu.Unlock()
	var old *subscription
	for _, o := range t.byTag {
		if o.user == sub.user && o.pkg == sub.pkg && o.eventID == sub.eventID && o.resource.Resource == sub.resource.Resource &&
			o.d.info.Remote == sub.d.info.Remote && o.d.info.Transport == sub.d.info.Transport {
			old = o
		}
	}
	switch {
	case t.isClosed:
		return 503
	case old != nil:
		t.remove(old)
		sub.s.wire.After(0, old.drop)
	case t.perUser[sub.user] >= maxSubscriptions || len(t.byTag) >= maxAllSubscriptions:
		return 503
	}
	t.byTag[sub.d.localTag] = sub
	t.perUser[sub.user]++
	return 0
}

// remove is called with mu held.
func (t *subscriptions) remove(sub *subscription) {
	if t.byTag[sub.d.localTag] != sub {
		return
	}
	delete(t.byTag, sub.d.localTag)
	if t.perUser[sub.user]--; t.perUser[sub.user] <= 0 {
		delete(t.perUser, sub.user)
	}
}

// close takes no further subscriptions or changes.
func (t *subscriptions) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.isClosed = true
}

// counts tells how many there are, and how many last notifications wait for their
// answer.
func (t *subscriptions) counts() (live, leaving int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byTag), t.leaving
}

// find is the subscription that a request within its dialog is about.
func (t *subscriptions) find(tag, callID string) *subscription {
	t.mu.Lock()
	defer t.mu.Unlock()
	if sub := t.byTag[tag]; sub != nil && sub.d.info.CallID == callID {
		return sub
	}
	return nil
}

// those lists the subscriptions for which want holds.
func (t *subscriptions) those(want func(*subscription) bool) []*subscription {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []*subscription
	for _, sub := range t.byTag {
		if want(sub) {
			out = append(out, sub)
		}
	}
	slices.SortFunc(out, func(a, b *subscription) int { return strings.Compare(a.d.localTag, b.d.localTag) })
	return out
}

// resubscribe answers a request within a subscription's dialog: one that renews
// it, or with Expires 0 ends it (RFC 6665 §4.1.2.2, §4.1.2.3). It is challenged
// like the first.
func (s *Stack) resubscribe(sub *subscription, req *gosip.Request, flow wire.Flow, tx *wire.ServerTx) {
	s.mu.Lock()
	p := s.users[sub.user]
	s.mu.Unlock()
	if p == nil {
		s.respond(tx, req, 481, "")
		return
	}
	if !s.authorize(p, req, flow, tx) {
		return
	}
	d := sub.d
	d.mu.Lock()
	defer d.mu.Unlock()
	name, id := eventOf(req)
	from, _ := wire.Param(req.From().Params, "tag")
	expires, short := s.wishOf(req)
	switch {
	case sub.over, from != d.path.remoteTag:
		d.reply(tx, req, 481)
		return
	case req.CSeq().SeqNo <= d.path.remoteSeq:
		d.reply(tx, req, 500) // out of order (RFC 3261 §12.2.2)
		return
	case req.Method != gosip.SUBSCRIBE:
		d.path.remoteSeq = req.CSeq().SeqNo
		d.reply(tx, req, 405, gosip.NewHeader("Allow", allow))
		return
	case !strings.EqualFold(name, sub.pkg.Name) || id != sub.eventID:
		d.reply(tx, req, 489, s.allowEvents()) // a second usage of the dialog, which nobody makes
		return
	case short != 0:
		d.reply(tx, req, short, s.minExpires())
		return
	}
	d.path.remoteSeq, d.path.flow = req.CSeq().SeqNo, flow
	if cs := contactsOf(req); len(cs) == 1 && !cs[0].Address.Wildcard {
		d.path.target = cs[0].Address
	}
	sub.granted(req, tx, expires)
}

// granted answers a SUBSCRIBE with success and sends the notification that must
// follow (RFC 6665 §4.2.1.2): of the whole state. It is called with the lock held.
func (sub *subscription) granted(req *gosip.Request, tx *wire.ServerTx, expires time.Duration) {
	d := sub.d
	res := wire.NewResponse(req, 200, phrase(200), d.localTag)
	res.AppendHeader(gosip.HeaderClone(d.path.contact))
	res.AppendHeader(gosip.NewHeader("Expires", strconv.Itoa(int(expires/time.Second))))
	res.AppendHeader(gosip.NewHeader("Server", d.s.cfg.UserAgent))
	_ = tx.Respond(res)
	sub.timer.Stop()
	sub.expires = time.Now().Add(expires)
	sub.last = nil
	if expires == 0 {
		sub.end("timeout")
		return
	}
	sub.timer = d.s.wire.After(expires, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if !sub.over && !time.Now().Before(sub.expires) {
			sub.end("timeout")
		}
	})
	if sub.waiting { // the answer to the one before comes first
		sub.dirty = true
		return
	}
	sub.notify()
}

// forget takes the subscription out of the table. It is called with the lock held.
func (sub *subscription) forget() {
	sub.over = true
	sub.timer.Stop()
	sub.pace.Stop()
	t := &sub.s.subs
	t.mu.Lock()
	t.remove(sub)
	t.mu.Unlock()
}

// drop forgets a subscription without a word.
func (sub *subscription) drop() {
	sub.d.mu.Lock()
	defer sub.d.mu.Unlock()
	if !sub.over {
		sub.forget()
	}
}

// unsubscribe ends the subscriptions of one user, or with "" of all, for as long
// as the box or the user's line takes to start again.
func (s *Stack) unsubscribe(user string) {
	for _, sub := range s.subs.those(func(o *subscription) bool { return user == "" || o.user == user }) {
		sub.d.mu.Lock()
		if !sub.over {
			sub.end("probation;retry-after=" + strconv.Itoa(comeBack))
		}
		sub.d.mu.Unlock()
	}
}
