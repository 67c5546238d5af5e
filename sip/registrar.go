package sip

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/wire"
)

// How many contacts one user, and all users, may have at a time.
const (
	maxBindings    = 10
	maxAllBindings = 4096
)

// bindings are the registrations of one user (RFC 3261 §10.3).
type bindings struct {
	s *Stack
	p *peer

	mu       sync.Mutex // guards the rest
	list     []*binding // newest first
	timer    *wire.Timer
	telling  bool // a goroutine is calling Peer.Bindings
	changed  bool // since that goroutine looked
	isClosed bool
}

type binding struct {
	Binding
	key      string // of the contact, to compare
	instance string // +sip.instance and reg-id (RFC 5626), or empty
	callID   string
	seq      uint32
	unasked  *unasked // kept while the phone renews it
}

func newBindings(s *Stack, p *peer) *bindings { return &bindings{s: s, p: p} }

// Bindings lists the live registrations of a user, the newest first.
func (s *Stack) Bindings(user string) []Binding {
	s.mu.Lock()
	p := s.users[user]
	s.mu.Unlock()
	if p == nil {
		return nil
	}
	return p.reg.snapshot()
}

func (b *bindings) snapshot() []Binding {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]Binding, 0, len(b.list))
	for _, e := range b.list {
		if e.Expires.After(now) {
			out = append(out, e.Binding)
		}
	}
	return out
}

// has reports whether the user is registered from where flow comes.
func (b *bindings) has(flow wire.Flow) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.list, func(e *binding) bool {
		return e.Source == flow.Remote && e.Transport == flow.Transport
	})
}

func (b *bindings) close() {
	b.mu.Lock()
	b.isClosed = true
	b.set(nil)
	b.timer.Stop()
	b.mu.Unlock()
}

// set replaces the list. It is called with mu held.
func (b *bindings) set(list []*binding) {
	b.s.bound.Add(int64(len(list) - len(b.list)))
	b.list = list
}

// register answers an authorized REGISTER.
func (s *Stack) register(p *peer, req *gosip.Request, flow wire.Flow, tx *wire.ServerTx) {
	if userOf(req.To().Address) != p.Username {
		s.respond(tx, req, 403, "") // somebody else's address of record
		return
	}
	before := p.reg.snapshot()
	status, headers := p.reg.update(req, flow, time.Now())
	if status == 200 {
		s.follow(before, p.reg.snapshot())
		headers = p.reg.contacts(time.Now())
		headers = append(headers, gosip.NewHeader("Date", time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")))
	}
	s.respond(tx, req, status, "", headers...)
}

// follow lets the calls of phones that have registered from elsewhere go there:
// their NAT has given them another port, or they have another connection.
func (s *Stack) follow(before, after []Binding) {
	for _, old := range before {
		i := slices.IndexFunc(after, func(b Binding) bool { return b.Contact == old.Contact })
		if i < 0 || after[i].Source == old.Source && after[i].Transport == old.Transport {
			continue
		}
		s.mu.Lock()
		ds := s.live()
		s.mu.Unlock()
		for _, d := range ds {
			d.follows(old, after[i].flow)
		}
	}
}

// contacts are the Contact headers of a 200: all current bindings.
func (b *bindings) contacts(now time.Time) []gosip.Header {
	var hs []gosip.Header
	for _, e := range b.snapshot() {
		left := int((e.Expires.Sub(now) + time.Second - 1) / time.Second)
		hs = append(hs, gosip.NewHeader("Contact", "<"+e.Contact+">;expires="+strconv.Itoa(left)))
	}
	return hs
}

// wish is one contact of a REGISTER.
type wish struct {
	uri      gosip.Uri
	expires  time.Duration
	instance string
}

// update applies a REGISTER wholly or not at all and gives the response status.
func (b *bindings) update(req *gosip.Request, flow wire.Flow, now time.Time) (int, []gosip.Header) {
	wishes, all, status := b.wishes(req)
	if status == 423 {
		secs := int((b.s.cfg.MinExpires + time.Second - 1) / time.Second)
		return status, []gosip.Header{gosip.NewHeader("Min-Expires", strconv.Itoa(secs))}
	}
	if status != 200 {
		return status, nil
	}
	callID, seq := req.CallID().Value(), req.CSeq().SeqNo
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isClosed {
		return 503, nil
	}
	for _, e := range b.list { // an older request that arrives late must not win (§10.3 step 7)
		if e.callID == callID && seq <= e.seq && (all || slices.ContainsFunc(wishes, func(w wish) bool { return contactKey(w.uri) == e.key })) {
			return 500, nil
		}
	}
	list := slices.Clone(b.list)
	if all {
		list = nil
	}
	list = slices.DeleteFunc(list, func(e *binding) bool { return !e.Expires.After(now) })
	var greeted []*binding
	for _, w := range wishes {
		key := contactKey(w.uri)
		var was *unasked
		for _, e := range list {
			if e.key == key && e.callID == callID {
				was = e.unasked
			}
		}
		list = slices.DeleteFunc(list, func(e *binding) bool {
			return e.key == key || (w.instance != "" && e.instance == w.instance)
		})
		if w.expires == 0 {
			continue
		}
		if len(list) >= maxBindings || len(list) >= len(b.list) && b.s.bound.Load() >= maxAllBindings {
			return 503, nil
		}
		e := &binding{key: key, instance: w.instance, callID: callID, seq: seq, unasked: was, Binding: Binding{
			User: b.p.Username, Contact: w.uri.String(), Source: flow.Remote, Local: b.s.localOf(flow), Transport: flow.Transport,
			Expires: now.Add(w.expires), flow: flow,
		}}
		if h := req.GetHeader("User-Agent"); h != nil {
			e.UserAgent = clean(h.Value())
		}
		if was == nil {
			e.unasked = &unasked{last: map[string]any{}}
			greeted = append(greeted, e)
		}
		list = append([]*binding{e}, list...)
	}
	changed := len(wishes) > 0 || all
	b.set(list)
	b.schedule(now)
	if changed {
		b.tell()
	}
	for _, e := range greeted {
		b.greet(e)
	}
	return 200, nil
}

// wishes reads the contacts; all is the "*" that removes everything.
func (b *bindings) wishes(req *gosip.Request) (ws []wish, all bool, status int) {
	def := b.s.cfg.MaxExpires
	asked := false
	if h := req.GetHeader("Expires"); h != nil {
		if v, err := strconv.ParseUint(strings.TrimSpace(h.Value()), 10, 32); err == nil {
			def, asked = time.Duration(v)*time.Second, true
		}
	}
	cs := contactsOf(req)
	for _, c := range cs {
		if c.Address.Wildcard {
			if len(cs) != 1 || !asked || def != 0 {
				return nil, false, 400 // §10.3 step 6
			}
			return nil, true, 200
		}
		if (c.Address.Scheme != "sip" && c.Address.Scheme != "sips") || c.Address.Host == "" {
			return nil, false, 400
		}
		exp := def
		if v, ok := wire.Param(c.Params, "expires"); ok {
			if n, err := strconv.ParseUint(v, 10, 32); err == nil {
				exp = time.Duration(n) * time.Second
			}
		}
		if exp > 0 && exp < b.s.cfg.MinExpires {
			return nil, false, 423
		}
		w := wish{uri: c.Address, expires: min(exp, b.s.cfg.MaxExpires)}
		if id, ok := wire.Param(c.Params, "+sip.instance"); ok {
			reg, _ := wire.Param(c.Params, "reg-id")
			w.instance = id + " " + reg
		}
		ws = append(ws, w)
	}
	return ws, false, 200
}

// contactKey compares contacts by user, host, port and transport (a part of RFC
// 3261 §19.1.4 that holds for phones).
func contactKey(u gosip.Uri) string {
	return u.Scheme + ":" + u.User + "@" + strings.ToLower(u.Host) + ":" + strconv.Itoa(u.Port) + ";" + transportOf(u)
}

// schedule sets the timer to the first expiry. It is called with mu held.
func (b *bindings) schedule(now time.Time) {
	b.timer.Stop()
	b.timer = nil
	var first time.Time
	for _, e := range b.list {
		if first.IsZero() || e.Expires.Before(first) {
			first = e.Expires
		}
	}
	if !first.IsZero() {
		b.timer = b.s.wire.After(first.Sub(now), b.expire)
	}
}

func (b *bindings) expire() {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.list)
	b.set(slices.DeleteFunc(slices.Clone(b.list), func(e *binding) bool { return !e.Expires.After(now) }))
	b.schedule(now)
	if len(b.list) != n {
		b.tell()
	}
}

// tell calls Peer.Bindings on a goroutine of its own, one at a time, with the
// newest list. It is called with mu held.
func (b *bindings) tell() {
	if b.p.Bindings == nil || b.isClosed {
		return
	}
	b.changed = true
	if b.telling {
		return
	}
	b.telling = b.s.spawn(func() {
		for {
			b.mu.Lock()
			if !b.changed || b.isClosed {
				b.telling = false
				b.mu.Unlock()
				return
			}
			b.changed = false
			b.mu.Unlock()
			b.p.Bindings(b.snapshot())
		}
	})
}

// next is where requests to a registered phone go: back on the path of its
// registration; when that connection is gone, to its contact or source.
func (b Binding) next() (transport string, addrs []netip.AddrPort) {
	addrs = []netip.AddrPort{b.Source}
	if u, err := parseURI(b.Contact); err == nil && b.Transport != wire.UDP {
		if a, ok := hostAddr(u.Host); ok {
			addrs = []netip.AddrPort{netip.AddrPortFrom(a, portOf(u, b.Transport))}
		}
	}
	return b.Transport, addrs
}
