package sip

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// lamps is an event package of a test: the state of a resource is a text.
type lamps struct {
	mu   sync.Mutex
	text map[string]string
}

// set changes the state of a resource.
func (l *lamps) set(s *Stack, resource, text string) {
	l.mu.Lock()
	l.text[resource] = text
	l.mu.Unlock()
	s.Changed("dialog", resource)
	s.Changed("message-summary", resource)
}

// document tells "full TEXT" or "partial TEXT"; a resource without text is unknown.
func (l *lamps) document(q Question) Document {
	l.mu.Lock()
	defer l.mu.Unlock()
	text, ok := l.text[q.Resource]
	switch {
	case !ok:
		return Document{Status: 404}
	case text == q.Last:
		return Document{State: text, Key: q.Resource}
	case q.Unasked && q.Last == nil && text == "none":
		return Document{State: text, Key: q.Resource}
	}
	kind := "partial"
	if q.Last == nil {
		kind = "full"
	}
	return Document{Body: fmt.Appendf(nil, "%s %d %s %s", kind, q.Version, q.Entity, text), State: text, Key: q.Resource}
}

// watched is a stack with a package to subscribe to, and a registered phone.
func watched(t *testing.T, adjust ...func(*Config)) (*Stack, *lamps, *raw) {
	t.Helper()
	l := &lamps{text: map[string]string{"bob": "idle", "201": "none"}}
	s := startStack(t, append([]func(*Config){func(c *Config) {
		c.Events = []EventPackage{
			{Name: "dialog", Type: "application/dialog-info+xml", Document: l.document},
			{Name: "message-summary", Type: "application/simple-message-summary", Document: l.document, Unasked: true},
		}
	}}, adjust...)...)
	userPeer(t, s)
	r := newRaw(t, s)
	register(t, r, "reg", 200)
	return s, l, r
}

// watch is a subscription of a raw phone.
type watch struct {
	*raw
	id, tag string
	seq     int
	event   string
}

// subscribe asks for a subscription; further headers may replace Event and Expires.
func (w *watch) subscribe(status int, headers ...string) *gosip.Response {
	w.t.Helper()
	w.seq++
	build := func(more ...string) string {
		text := w.numbered("SUBSCRIBE", "201", w.id, w.seq, w.tag, append(append([]string{"Event: " + w.event}, headers...), more...)...)
		return strings.Replace(text, "SUBSCRIBE sip:201@", "SUBSCRIBE sip:bob@", 1)
	}
	w.send(build())
	res := w.responseTo(401, w.seq)
	c := challenge(w.t, res, "MD5")
	w.seq++
	w.send(build(authorization(w.t, c, "SUBSCRIBE", "sip:bob@"+w.to.Addr("udp").String(), userPass, 1)))
	res = w.responseTo(status, w.seq)
	if status == 200 {
		w.tag = toTagOf(w.t, res)
	}
	return res
}

// told takes the next NOTIFY, answers it, and checks its state and body.
func (w *watch) told(state, body string) *gosip.Request {
	w.t.Helper()
	req := w.request(gosip.NOTIFY)
	w.answer(req, 200, "", "", "")
	if got := headerValue(req, "Subscription-State"); !strings.HasPrefix(got, state) {
		w.t.Errorf("Subscription-State %q, want %q", got, state)
	}
	if got := string(req.Body()); got != body {
		w.t.Errorf("told %q, want %q", got, body)
	}
	return req
}

func newWatch(r *raw, id string) *watch { return &watch{raw: r, id: id, event: "dialog"} }

func TestSubscribe(t *testing.T) {
	t.Parallel()
	s, l, r := watched(t)
	w := newWatch(r, "sub")
	res := w.subscribe(200, "Expires: 600", "Accept: application/dialog-info+xml")
	if headerValue(res, "Expires") != "600" || len(contactsOf(res)) != 1 {
		t.Errorf("the answer is\n%s", res)
	}
	entity := "sip:bob@" + s.Addr("udp").String()
	n := w.told("active;expires=600", "full 0 "+entity+" idle")
	if headerValue(n, "Event") != "dialog" || bodyType(n) != "application/dialog-info+xml" || len(n.GetHeaders("Contact")) != 1 ||
		n.CallID().Value() != "sub" || headerValue(n, "From") == "" || n.Recipient.User != "201" {
		t.Errorf("the NOTIFY is\n%s", n)
	}
	first := n.CSeq().SeqNo
	l.set(s, "bob", "rings")
	n = w.told("active", "partial 1 "+entity+" rings")
	if n.CSeq().SeqNo != first+1 {
		t.Errorf("CSeq %d after %d", n.CSeq().SeqNo, first)
	}
	l.set(s, "bob", "rings") // nothing new: nothing is told
	l.set(s, "bob", "talks")
	w.told("active", "partial 2 "+entity+" talks")
	w.subscribe(200, "Expires: 300") // renewed: the whole state again
	w.told("active;expires=300", "full 3 "+entity+" talks")
	w.subscribe(200, "Expires: 0")
	w.told("terminated;reason=timeout", "full 4 "+entity+" talks")
	if n := s.Counters().Subscriptions; n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
	w.subscribeGone()
}

// subscribeGone renews a subscription that is over.
func (w *watch) subscribeGone() {
	w.t.Helper()
	w.seq++
	w.send(w.numbered("SUBSCRIBE", "201", w.id, w.seq, w.tag, "Event: dialog"))
	w.responseTo(481, w.seq)
}

// TestSubscribeRefused: each refusal has the status of its RFC and leaves nothing.
func TestSubscribeRefused(t *testing.T) {
	t.Parallel()
	s, l, r := watched(t, func(c *Config) { c.MinExpires = time.Minute })
	for name, tt := range map[string]struct {
		event   string
		headers []string
		status  int
		header  string
		want    string
	}{
		"unknown event":     {"presence", nil, 489, "Allow-Events", "dialog, message-summary"},
		"reg":               {"reg", nil, 489, "Allow-Events", "dialog, message-summary"},
		"no event":          {"", nil, 489, "Allow-Events", "dialog, message-summary"},
		"too short":         {"dialog", []string{"Expires: 5"}, 423, "Min-Expires", "60"},
		"type not accepted": {"dialog", []string{"Accept: application/pidf+xml"}, 406, "Accept", "application/dialog-info+xml"},
	} {
		w := newWatch(newRaw(t, s), strings.ReplaceAll(name, " ", "-"))
		register(t, w.raw, "reg-"+w.id, 200)
		w.event = tt.event
		res := w.subscribe(tt.status, tt.headers...)
		if got := headerValue(res, tt.header); got != tt.want {
			t.Errorf("%s: %s is %q, want %q", name, tt.header, got, tt.want)
		}
	}
	l.mu.Lock()
	delete(l.text, "bob")
	l.mu.Unlock()
	newWatch(r, "unknown").subscribe(404)
	if n := s.Counters().Subscriptions; n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
	// Whoever is no user of the box gets nothing.
	stranger := newWatch(newRaw(t, s), "stranger")
	text := stranger.numbered("SUBSCRIBE", "mallory", "stranger", 1, "", "Event: dialog")
	stranger.send(text)
	stranger.silent()
}

// TestSubscribeFetch asks once (RFC 6665 §4.4.3), with an Event id and short forms.
func TestSubscribeFetch(t *testing.T) {
	t.Parallel()
	s, _, r := watched(t)
	w := newWatch(r, "fetch")
	w.event = "dialog;id=7;sla"
	w.subscribe(200, "Expires: 0")
	n := w.told("terminated;reason=timeout", "full 0 sip:bob@"+s.Addr("udp").String()+" idle")
	if got := headerValue(n, "Event"); got != "dialog;id=7" {
		t.Errorf("Event %q", got)
	}
	if n := s.Counters().Subscriptions; n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
}

// TestSubscriptionExpires: without renewal it ends by itself, and says so.
func TestSubscriptionExpires(t *testing.T) {
	t.Parallel()
	s, _, r := watched(t, func(c *Config) { c.MinExpires = 300 * time.Millisecond; c.MaxExpires = 300 * time.Millisecond })
	w := newWatch(r, "short")
	w.subscribe(200)
	w.request(gosip.NOTIFY) // not answered: the end must come in spite of it
	eventually(t, "the subscription is forgotten", func() bool { return s.Counters().Subscriptions == 0 })
	for {
		n := w.request(gosip.NOTIFY)
		w.answer(n, 200, "", "", "")
		if strings.HasPrefix(headerValue(n, "Subscription-State"), "terminated") {
			return
		}
	}
}

// TestNotifyFails: who does not know the subscription, or is gone, has none.
func TestNotifyFails(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"481": 481, "408": 408, "404": 404, "no answer": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _, r := watched(t)
			w := newWatch(r, "gone")
			w.subscribe(200)
			n := w.request(gosip.NOTIFY)
			if status != 0 {
				w.answer(n, status, "", "", "")
			}
			eventually(t, "the subscription is forgotten", func() bool { return s.Counters().Subscriptions == 0 })
		})
	}
	t.Run("busy", func(t *testing.T) {
		t.Parallel()
		s, l, r := watched(t)
		w := newWatch(r, "busy")
		w.subscribe(200)
		w.answer(w.request(gosip.NOTIFY), 500, "", "", "")
		l.set(s, "bob", "rings")
		w.told("active", "full 1 sip:bob@"+s.Addr("udp").String()+" rings") // it may have missed the first
	})
}

// TestNotifyWaits: while one is unanswered no other is sent, and then only the
// newest state.
func TestNotifyWaits(t *testing.T) {
	t.Parallel()
	s, l, r := watched(t)
	w := newWatch(r, "slow")
	w.subscribe(200)
	first := w.request(gosip.NOTIFY)
	for _, state := range []string{"rings", "talks", "idle again"} {
		l.set(s, "bob", state)
	}
	eventually(t, "the changes are known", func() bool {
		s.subs.mu.Lock()
		defer s.subs.mu.Unlock()
		return len(s.subs.changed) == 0
	})
	w.answer(first, 200, "", "", "")
	w.told("active", "partial 1 sip:bob@"+s.Addr("udp").String()+" idle again")
}

// TestSubscriptionLimits bounds one user's subscriptions; a phone that was started
// again takes its own place.
func TestSubscriptionLimits(t *testing.T) {
	t.Parallel()
	s, _, r := watched(t)
	again := newWatch(r, "again-1")
	again.subscribe(200)
	again.told("active", "full 0 sip:bob@"+s.Addr("udp").String()+" idle")
	newWatch(r, "again-2").subscribe(200)
	eventually(t, "one subscription is left", func() bool { return s.Counters().Subscriptions == 1 })
	s.subs.mu.Lock()
	s.subs.perUser["201"] = maxSubscriptions
	s.subs.mu.Unlock()
	w := newWatch(r, "too-many")
	w.event = "dialog;id=1"
	if res := w.subscribe(503); headerValue(res, "Retry-After") == "" {
		t.Error("no Retry-After")
	}
	s.subs.mu.Lock()
	s.subs.perUser["201"] = 1
	s.subs.mu.Unlock()
}

// TestSubscriptionEndsWithStack: the last word of a box that stops.
func TestSubscriptionEndsWithStack(t *testing.T) {
	t.Parallel()
	s, _, r := watched(t)
	w := newWatch(r, "end")
	w.subscribe(200)
	w.told("active", "full 0 sip:bob@"+s.Addr("udp").String()+" idle")
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.unsubscribe("")
	}()
	w.told("terminated;reason=probation;retry-after=", "full 1 sip:bob@"+s.Addr("udp").String()+" idle")
	<-done
	eventually(t, "nothing waits", func() bool { n, leaving := s.subs.counts(); return n == 0 && leaving == 0 })
}

// TestUnasked: a phone without a subscription is told after it has registered, and
// of changes; one that has subscribed, or refuses, is not.
func TestUnasked(t *testing.T) {
	t.Parallel()
	s, l, r := watched(t)
	w := newWatch(r, "none")
	l.set(s, "201", "two")
	entity := "sip:201@127.0.0.1"
	n := w.told("terminated", "full 0 "+entity+" two")
	if headerValue(n, "Event") != "message-summary" || n.Recipient.User != "201" {
		t.Errorf("the NOTIFY is\n%s", n)
	}
	l.set(s, "201", "one")
	w.told("terminated", "partial 0 "+entity+" one")

	// Another phone registers: it is told what the first knows.
	other := newWatch(newRaw(t, s), "other")
	register(t, other.raw, "reg-other", 200)
	other.told("terminated", "full 0 "+entity+" one")
	// It renews its registration, and nothing is said again; then it refuses.
	register(t, other.raw, "reg-other", 200)
	l.set(s, "201", "zero")
	other.answer(other.request(gosip.NOTIFY), 489, "", "", "")
	w.told("terminated", "partial 0 "+entity+" zero")
	eventually(t, "the refusal is known", func() bool {
		s.mu.Lock()
		p := s.users["201"]
		s.mu.Unlock()
		p.reg.mu.Lock()
		defer p.reg.mu.Unlock()
		for _, e := range p.reg.list {
			if e.unasked.deaf {
				return true
			}
		}
		return false
	})
	l.set(s, "201", "five")
	w.told("terminated", "partial 0 "+entity+" five")
	// What it has refused may have been repeated before its answer was there.
	for limit := time.Now().Add(10 * testT1); time.Now().Before(limit); {
		if m := other.message(time.Until(limit)); m != nil && !strings.Contains(string(m.Body()), " zero") {
			t.Errorf("a phone that refused was told\n%s", m)
		}
	}
}

func TestAccepts(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{
		"application/dialog-info+xml": true, "application/*": true, "*/*": true, "text/plain, application/dialog-info+xml;q=0.5": true,
		"application/pidf+xml": false, "text/*": false,
	} {
		req := gosip.NewRequest(gosip.SUBSCRIBE, gosip.Uri{Host: "biloxi.example"})
		req.AppendHeader(gosip.NewHeader("Accept", header))
		if got := accepts(req, "application/dialog-info+xml"); got != want {
			t.Errorf("%s: %v", header, got)
		}
	}
}
