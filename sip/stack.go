package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/locate"
	"callbox/sip/wire"
)

// Stack is the SIP endpoint of the box: its sockets, peers, registrar and
// dialogs. All methods may be called concurrently.
type Stack struct {
	cfg   Config
	log   *slog.Logger
	wire  *wire.Layer
	auth  *authenticator
	guard *guard
	base  context.Context // ends when Serve ends; for look-ups and registrations
	stop  context.CancelFunc
	wg    sync.WaitGroup // goroutines started by spawn
	count counters
	shun  shunned
	subs  subscriptions

	nobody *bindings    // of users that do not exist
	bound  atomic.Int64 // bindings of all users

	mu      sync.Mutex // guards the rest
	peers   []*peer    // in the order of their names; replaced, never changed
	users   map[string]*peer
	dialogs map[string]*Dialog   // by our tag
	merged  map[string]*Dialog   // arriving ones by Call-ID, From tag and CSeq (RFC 3261 §8.2.2.2)
	gone    map[string]time.Time // our tags of dialogs that ended, until when they are remembered
	closing bool                 // no new dialogs
	closed  bool                 // no new goroutines
}

type counters struct{ strangers, challenges, authFailures, eventsDropped atomic.Uint64 }

// Counters tells what happened since the start, for metrics and tests.
type Counters struct {
	wire.Counters
	Strangers     uint64 // requests that matched no peer
	Challenges    uint64 // 401 sent
	AuthFailures  uint64 // wrong credentials
	Bans          uint64 // addresses, and users at an address, banned for wrong credentials
	OverBudget    uint64 // messages of strangers beyond what their address may ask for
	EventsDropped uint64 // DialogEvents that nobody took
	Dialogs       int    // live now
	Subscriptions int    // likewise
}

// maxGone bounds the memory of ended dialogs, which get 481 instead of silence.
const maxGone = 4096

// New opens the sockets of cfg. Call Serve to start reading; it also closes them.
func New(cfg Config) (*Stack, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Stack{
		cfg: cfg, log: cfg.Logger, auth: newAuthenticator(cfg.Realm, cfg.NonceLife), guard: newGuard(),
		shun:  shunned{until: map[locate.Hop]time.Time{}},
		subs:  subscriptions{byTag: map[string]*subscription{}, perUser: map[string]int{}, changed: map[change]struct{}{}},
		users: map[string]*peer{}, dialogs: map[string]*Dialog{}, merged: map[string]*Dialog{}, gone: map[string]time.Time{},
	}
	s.nobody = newBindings(s, &peer{})
	var err error
	s.wire, err = wire.New(wire.Config{
		UDP: cfg.UDP, TCP: cfg.TCP, TLS: cfg.TLS, Sockets: cfg.Sockets, TLSConfig: cfg.TLSConfig,
		External: cfg.External, T1: cfg.T1, Logger: cfg.Logger, Watch: cfg.Watch,
	}, s)
	if err != nil {
		return nil, fmt.Errorf("sip: %w", err)
	}
	s.base, s.stop = context.WithCancel(context.Background())
	return s, nil
}

func (c Config) withDefaults() Config {
	def := func(v *string, d string) {
		if *v == "" {
			*v = d
		}
	}
	defDur := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&c.UserAgent, "callbox")
	def(&c.Realm, "callbox")
	defDur(&c.T1, 500*time.Millisecond)
	defDur(&c.MaxExpires, time.Hour)
	defDur(&c.MinExpires, min(time.Minute, c.MaxExpires))
	c.MaxExpires = max(c.MaxExpires, c.MinExpires)
	defDur(&c.NonceLife, 5*time.Minute)
	if c.MaxDialogs <= 0 {
		c.MaxDialogs = 512
	}
	if c.Resolver == nil {
		c.Resolver = locate.New(locate.Config{})
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Serve runs the stack until ctx ends, then ends what is left of the dialogs
// (for at most 4 T1), closes the sockets and waits for every goroutine. It is
// called once and returns nil.
func (s *Stack) Serve(ctx context.Context) error {
	wireCtx, stopWire := context.WithCancel(context.Background())
	defer stopWire()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.wire.Serve(wireCtx)
	}()
	s.wire.After(lookAround*s.cfg.T1, s.lookForMoves)
	<-ctx.Done()
	s.drain()
	s.mu.Lock()
	s.closed = true
	left := s.live()
	s.mu.Unlock()
	s.stop()
	stopWire()
	<-ended
	for _, d := range left {
		d.abandon()
	}
	s.closePeers()
	s.wg.Wait()
	return nil
}

// drain hangs every dialog up, ends the subscriptions, and gives the far ends a
// moment to hear of it.
func (s *Stack) drain() {
	s.mu.Lock()
	s.closing = true
	ds := s.live()
	s.mu.Unlock()
	s.unsubscribe("")
	s.subs.close()
	for _, d := range ds {
		d.Hangup(Reason{Q850: 41, SIP: 503, Text: "the gateway is shutting down"})
	}
	limit := time.NewTimer(4 * s.cfg.T1)
	defer limit.Stop()
	tick := time.NewTicker(s.cfg.T1 / 25)
	defer tick.Stop()
	for {
		s.mu.Lock()
		n := len(s.dialogs)
		s.mu.Unlock()
		if _, leaving := s.subs.counts(); n == 0 && leaving == 0 {
			return
		}
		select {
		case <-limit.C:
			return
		case <-tick.C:
		}
	}
}

// live is called with mu held.
func (s *Stack) live() []*Dialog {
	ds := make([]*Dialog, 0, len(s.dialogs))
	for _, d := range s.dialogs {
		ds = append(ds, d)
	}
	return ds
}

// spawn runs fn on a goroutine that Serve waits for; false when it is too late.
func (s *Stack) spawn(fn func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.wg.Go(fn)
	return true
}

// pause waits for d, or until ctx or the stack ends.
func (s *Stack) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-s.base.Done():
	}
}

// Addr is the address of the first listener of network "udp", "tcp" or "tls";
// the zero value when there is none.
func (s *Stack) Addr(network string) netip.AddrPort { return s.wire.Addr(network) }

// Counters is a snapshot.
func (s *Stack) Counters() Counters {
	s.mu.Lock()
	n := len(s.dialogs)
	s.mu.Unlock()
	c := &s.count
	bans, over := s.guard.counts()
	subs, _ := s.subs.counts()
	return Counters{Bans: bans, OverBudget: over,
		Counters: s.wire.Counters(), Strangers: c.strangers.Load(), Challenges: c.challenges.Load(),
		AuthFailures: c.authFailures.Load(), EventsDropped: c.eventsDropped.Load(), Dialogs: n, Subscriptions: subs,
	}
}

// Known implements [wire.Handler]: whether a malformed request from there gets
// an answer.
func (s *Stack) Known(flow wire.Flow) bool {
	for _, p := range s.peersNow() {
		if p.at(flow) || p.reg.has(flow) {
			return true
		}
	}
	return false
}

// Admit implements [wire.Handler]: whether a message from there is looked at.
func (s *Stack) Admit(flow wire.Flow) bool {
	return !s.guard.shut(flow.Remote.Addr(), time.Now()) || s.Known(flow) || s.talksTo(flow.Remote)
}

// Nonsense implements [wire.Handler]: malformed messages cost as others do.
func (s *Stack) Nonsense(flow wire.Flow) {
	if !s.Known(flow) {
		s.guard.spend(flow.Remote.Addr(), priceAsk, time.Now())
	}
}

// talksTo reports whether a dialog has its far end there.
func (s *Stack) talksTo(remote netip.AddrPort) bool {
	s.mu.Lock()
	ds := s.live()
	s.mu.Unlock()
	for _, d := range ds {
		if d.info.Remote == remote {
			return true
		}
	}
	return false
}

// peersNow is the list to walk without the lock.
func (s *Stack) peersNow() []*peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peers
}

// Request implements [wire.Handler]. It runs on the reader of the socket.
func (s *Stack) Request(req *gosip.Request, flow wire.Flow, tx *wire.ServerTx) {
	tag, inDialog := wire.Param(req.To().Params, "tag")
	var d *Dialog
	var sub *subscription
	if inDialog {
		sub = s.subs.find(tag, req.CallID().Value())
		s.mu.Lock()
		d = s.dialogs[tag]
		s.mu.Unlock()
	}
	switch {
	case d != nil && d.info.CallID == req.CallID().Value():
		if tx == nil {
			d.onAck(req)
			return
		}
		d.onRequest(req, flow, tx)
	case tx == nil: // the ACK of a dialog that is gone
	case sub != nil:
		s.resubscribe(sub, req, flow, tx)
	case inDialog:
		if s.remembers(tag) || s.Known(flow) {
			s.respond(tx, req, 481, "")
			return
		}
		s.stranger(req, flow, tx)
	default:
		s.outOfDialog(req, flow, tx)
	}
}

// outOfDialog handles requests that start something.
func (s *Stack) outOfDialog(req *gosip.Request, flow wire.Flow, tx *wire.ServerTx) {
	p, challenge := s.identify(req, flow)
	if p == nil {
		s.stranger(req, flow, tx)
		s.guard.spend(flow.Remote.Addr(), priceAsk, time.Now())
		return
	}
	if challenge && req.Method != gosip.CANCEL {
		if !s.authorize(p, req, flow, tx) {
			return
		}
	}
	if scheme := req.Recipient.Scheme; scheme != "sip" && scheme != "sips" && scheme != "tel" {
		s.respond(tx, req, 416, "")
		return
	}
	if missing := p.Terms.unsupported(req); missing != "" && req.Method != gosip.CANCEL {
		s.respond(tx, req, 420, "", gosip.NewHeader("Unsupported", missing))
		return
	}
	switch req.Method {
	case gosip.REGISTER:
		if !p.Register {
			s.respond(tx, req, 403, "")
			return
		}
		s.register(p, req, flow, tx)
	case gosip.INVITE:
		s.arrive(p, req, flow, tx)
	case gosip.OPTIONS:
		s.respond(tx, req, 200, "", gosip.NewHeader("Allow", allow), gosip.NewHeader("Supported", p.Terms.supported()), gosip.NewHeader("Accept", sdpType), s.allowEvents())
	case gosip.SUBSCRIBE:
		s.subscribe(p, req, flow, tx)
	case gosip.CANCEL, gosip.BYE, gosip.INFO, gosip.UPDATE, gosip.PRACK:
		s.respond(tx, req, 481, "")
	case gosip.REFER: // within a call only: nobody has us call anybody else
		s.respond(tx, req, 403, "")
	default:
		s.respond(tx, req, 405, "", gosip.NewHeader("Allow", allow))
	}
}

// stranger says nothing: a scanner learns neither that we exist nor who does.
func (s *Stack) stranger(req *gosip.Request, flow wire.Flow, tx *wire.ServerTx) {
	s.count.strangers.Add(1)
	s.log.Debug("SIP request from a stranger", "method", string(req.Method), "remote", flow.Remote, "transport", flow.Transport)
	tx.Drop()
	flow.Close()
}

// respond sends a response without a body. tag is our To tag; empty makes one up.
func (s *Stack) respond(tx *wire.ServerTx, req *gosip.Request, status int, tag string, headers ...gosip.Header) {
	if tag == "" {
		tag = wire.NewTag()
	}
	res := wire.NewResponse(req, status, phrase(status), tag)
	for _, h := range headers {
		res.AppendHeader(h)
	}
	if err := tx.Respond(res); err != nil && !errors.Is(err, wire.ErrState) {
		s.log.Debug("SIP response not sent", "err", err)
	}
}

// admit puts a new dialog into the tables; ErrLimit and ErrClosed refuse it.
func (s *Stack) admit(d *Dialog, mergeKey string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.closed {
		return ErrClosed
	}
	if len(s.dialogs) >= s.cfg.MaxDialogs {
		return ErrLimit
	}
	s.dialogs[d.localTag] = d
	if mergeKey != "" {
		s.merged[mergeKey] = d
	}
	return nil
}

// forget takes a dialog out of the tables; its tag is remembered for as long as
// the far end may repeat requests.
func (s *Stack) forget(d *Dialog) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dialogs[d.localTag] != d {
		return
	}
	delete(s.dialogs, d.localTag)
	if d.mergeKey != "" {
		delete(s.merged, d.mergeKey)
	}
	now := time.Now()
	if len(s.gone) >= maxGone {
		for tag, until := range s.gone {
			if now.After(until) {
				delete(s.gone, tag)
			}
		}
	}
	if len(s.gone) < maxGone {
		s.gone[d.localTag] = now.Add(64 * s.cfg.T1)
	}
}

func (s *Stack) remembers(tag string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.gone[tag]
	if ok && time.Now().After(until) {
		delete(s.gone, tag)
		return false
	}
	return ok
}
