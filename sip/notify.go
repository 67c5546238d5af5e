package sip

import (
	"errors"
	"slices"
	"strconv"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/wire"
)

// notifyGap is the shortest time, in T1 (0.5 s), between two notifications of one
// subscription (RFC 4235 §3.9 asks for a second).
const notifyGap = 2

// lost are the answers to a NOTIFY that say that the subscriber has no use for it
// (RFC 6665 §4.2.2, RFC 5057 §5.1).
var lostAnswers = []int{403, 404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604}

// Changed says that what Document wrote with this Key may be different now, of an
// event package; an empty key means everything. Subscribers are told soon, and of
// several changes in a row only the last.
func (s *Stack) Changed(pkg, key string) {
	t := &s.subs
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.isClosed {
		return
	}
	first := len(t.changed) == 0
	t.changed[change{pkg, key}] = struct{}{}
	if first {
		s.wire.After(0, s.tellChanges)
	}
}

// tellChanges tells what has changed, on the timer goroutine.
func (s *Stack) tellChanges() {
	t := &s.subs
	t.mu.Lock()
	changed := t.changed
	t.changed = map[change]struct{}{}
	t.mu.Unlock()
	concerns := func(pkg, key string) bool {
		if _, ok := changed[change{pkg, key}]; ok {
			return true
		}
		_, ok := changed[change{pkg, ""}]
		return ok
	}
	for _, sub := range t.those(func(o *subscription) bool { return true }) {
		sub.d.mu.Lock()
		if concerns(sub.pkg.Name, sub.key) {
			sub.touch()
		}
		sub.d.mu.Unlock()
	}
	for _, p := range s.peersNow() {
		for i := range s.cfg.Events {
			if pkg := &s.cfg.Events[i]; pkg.Unasked && p.Register && !p.Exchange && concerns(pkg.Name, p.Username) {
				s.tellUnasked(p, pkg, nil)
			}
		}
	}
}

// touch sends a notification when it is time to. It is called with the lock held.
func (sub *subscription) touch() {
	if sub.over {
		return
	}
	if sub.dirty = true; sub.waiting {
		return // the answer comes first
	}
	if wait := time.Until(sub.sent.Add(notifyGap * sub.s.cfg.T1)); wait > 0 {
		sub.pace.Stop()
		sub.pace = sub.s.wire.After(wait, func() {
			sub.d.mu.Lock()
			defer sub.d.mu.Unlock()
			if sub.dirty && !sub.over && !sub.waiting {
				sub.notify()
			}
		})
		return
	}
	sub.notify()
}

// notify writes and sends the present document. It is called with the lock held.
func (sub *subscription) notify() {
	sub.dirty = false
	doc := sub.document()
	switch {
	case doc.Status >= 300:
		sub.end("noresource")
		return
	case doc.Body == nil:
		return
	}
	left := max(time.Until(sub.expires), 0)
	sub.send("active;expires="+strconv.Itoa(int((left+time.Second-1)/time.Second)), doc)
}

// document asks for the next document. It is called with the lock held.
func (sub *subscription) document() Document {
	q := sub.resource
	q.Version, q.Last = sub.version, sub.last
	doc := sub.pkg.Document(q)
	if doc.Status < 300 {
		sub.key = doc.Key
	}
	return doc
}

// end sends the last notification and forgets the subscription (RFC 6665 §4.2.2).
// It is called with the lock held.
func (sub *subscription) end(reason string) {
	sub.last = nil // the last document is a whole one
	doc := sub.document()
	sub.forget()
	sub.send("terminated;reason="+reason, doc)
}

// send sends one NOTIFY. It is called with the lock held.
func (sub *subscription) send(state string, doc Document) {
	d := sub.d
	sub.follow()
	req := d.request(gosip.NOTIFY, 0)
	event := sub.pkg.Name
	if sub.eventID != "" {
		event += ";id=" + sub.eventID
	}
	for _, h := range []gosip.Header{gosip.HeaderClone(d.path.contact), gosip.NewHeader("Event", event), gosip.NewHeader("Subscription-State", state)} {
		req.AppendHeader(h)
	}
	setBody(req, sub.pkg.Type, doc.Body)
	sub.sent, sub.waiting, sub.last = time.Now(), true, doc.State
	if doc.Body != nil {
		sub.version++
	}
	sub.s.subs.leave(sub.over, 1)
	last := sub.over
	err := d.send(req, func(res *gosip.Response, _ wire.Flow, err error) {
		if err == nil && res.StatusCode < 200 {
			return
		}
		sub.s.subs.leave(last, -1)
		sub.answered(res, err)
	})
	if err != nil {
		sub.s.subs.leave(last, -1)
		sub.waiting = false
		sub.fail(0, err)
	}
}

// leave counts the last notifications that are on their way.
func (t *subscriptions) leave(last bool, n int) {
	if !last {
		return
	}
	t.mu.Lock()
	t.leaving += n
	t.mu.Unlock()
}

// follow takes the path by which the subscriber's phone is registered now: behind
// a NAT, or over a new connection, it is not the one of the SUBSCRIBE any more. It
// is called with the lock held.
func (sub *subscription) follow() {
	p := &sub.d.path
	for _, b := range sub.s.Bindings(sub.user) {
		if u, err := parseURI(b.Contact); err == nil && contactKey(u) == contactKey(p.target) && b.flow.Alive() {
			p.flow = b.flow
			return
		}
	}
}

// answered takes the answer to a NOTIFY.
func (sub *subscription) answered(res *gosip.Response, err error) {
	sub.d.mu.Lock()
	defer sub.d.mu.Unlock()
	sub.waiting = false
	if sub.over {
		return
	}
	status := 0
	if err == nil {
		status = res.StatusCode
	}
	if err != nil || status >= 300 {
		sub.fail(status, err)
	}
	if sub.dirty && !sub.over {
		sub.touch()
	}
}

// fail ends the subscription of somebody who does not answer or does not know of
// it. Others are told the whole state next time. It is called with the lock held.
func (sub *subscription) fail(status int, err error) {
	if sub.over || errors.Is(err, ErrClosed) {
		return
	}
	if err == nil && !slices.Contains(lostAnswers, status) {
		sub.last = nil
		return
	}
	sub.s.log.Info("a subscription ends: its phone does not take what it is told", "user", sub.user, "event", sub.pkg.Name, "status", status, "err", err)
	sub.forget()
}

// unasked is what a registered phone without a subscription was told.
type unasked struct {
	last map[string]any // by event package: Document.State
	deaf bool           // it refused
}

// greet tells a phone that has just registered, if it has not subscribed soon.
func (b *bindings) greet(e *binding) {
	s := b.s
	if !slices.ContainsFunc(s.cfg.Events, func(p EventPackage) bool { return p.Unasked }) || b.p.Exchange {
		return
	}
	u := e.unasked
	s.wire.After(4*s.cfg.T1, func() {
		for i := range s.cfg.Events {
			if pkg := &s.cfg.Events[i]; pkg.Unasked {
				s.tellUnasked(b.p, pkg, u)
			}
		}
	})
}

// tellUnasked tells the phones of a user that have no subscription; only, when
// given, names one of them.
func (s *Stack) tellUnasked(p *peer, pkg *EventPackage, only *unasked) {
	p.reg.mu.Lock()
	list := slices.Clone(p.reg.list)
	p.reg.mu.Unlock()
	for _, e := range list {
		if only != nil && e.unasked != only || s.subscribed(p.Username, pkg, e) {
			continue
		}
		p.reg.mu.Lock()
		u, last := e.unasked, e.unasked.last[pkg.Name]
		deaf := u.deaf
		p.reg.mu.Unlock()
		if deaf {
			continue
		}
		host, _ := s.wire.SentBy(e.Transport, e.Source.Addr(), e.flow)
		doc := pkg.Document(Question{User: p.Username, Resource: p.Username, Host: host, Entity: "sip:" + escapeUser(p.Username) + "@" + host, Last: last, Unasked: true})
		if doc.Status >= 300 || doc.Body == nil {
			continue
		}
		p.reg.mu.Lock()
		u.last[pkg.Name] = doc.State
		p.reg.mu.Unlock()
		s.sendUnasked(p, pkg, e, doc)
	}
}

// subscribed reports whether a registered phone has subscribed to the package.
func (s *Stack) subscribed(user string, pkg *EventPackage, e *binding) bool {
	return len(s.subs.those(func(o *subscription) bool {
		return o.user == user && o.pkg == pkg && (o.d.info.Remote == e.Source || o.contact == e.key)
	})) > 0
}

// sendUnasked sends a NOTIFY without a subscription, which most phones take (RFC
// 3842 §2 knows no such thing, but every PBX does it): its state is terminated,
// because there is none.
func (s *Stack) sendUnasked(p *peer, pkg *EventPackage, e *binding, doc Document) {
	target, err := parseURI(e.Contact)
	if err != nil {
		return
	}
	transport, addrs := e.next()
	d := newDialog(s)
	contact := s.contact(p.Username, e.Transport, e.Source.Addr(), e.flow)
	us := gosip.Uri{Scheme: "sip", User: escapeUser(p.Username), Host: contact.Address.Host}
	from := gosip.FromHeader{Address: us}
	from.Params.Add("tag", d.localTag)
	d.info.CallID = wire.NewTag()
	d.path = path{local: from, remote: gosip.FromHeader{Address: us}, target: target, contact: contact,
		dest: wire.Dest{Flow: e.flow, Local: e.Local, Transport: transport, Addrs: addrs}}
	req := d.request(gosip.NOTIFY, 0)
	for _, h := range []gosip.Header{contact, gosip.NewHeader("Event", pkg.Name), gosip.NewHeader("Subscription-State", "terminated;reason=noresource")} {
		req.AppendHeader(h)
	}
	setBody(req, pkg.Type, doc.Body)
	_ = d.send(req, func(res *gosip.Response, _ wire.Flow, err error) {
		if err == nil && res.StatusCode < 300 {
			return
		}
		p.reg.mu.Lock()
		defer p.reg.mu.Unlock()
		delete(e.unasked.last, pkg.Name)
		e.unasked.deaf = err == nil // until it registers anew
	})
}
