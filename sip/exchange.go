package sip

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"callbox/sip/locate"
	"callbox/sip/wire"
)

// maxTries bounds how often one request is sent again with credentials: a
// challenge, a stale nonce, and one of each by a proxy in between.
const maxTries = 4

// exchange is one request and its responses, with the answers to challenges
// (RFC 3261 §22.2) in between, and with the next server when one fails (RFC 3263
// §4.3).
type exchange struct {
	s     *Stack
	creds *Credentials
	seq   func() uint32 // CSeq of the next try
	on    wire.OnResponse
	late  func(*gosip.Response, wire.Flow) // a 2xx from a server that was given up; nil: forget it
	body  bool                             // set by start
	// offer writes the body for a server reached from another address; nil: it stays.
	offer func(local, remote netip.Addr) []byte
	// limit is how long the last server may say nothing, and silence is told when it
	// has not; 0: 64 T1, which are the transaction's own.
	limit   time.Duration
	silence func()

	mu       sync.Mutex // guards the rest
	dest     wire.Dest
	local    netip.Addr   // ours towards it, when the request was sent
	next     []locate.Hop // servers to try when the present one fails
	turn     int          // counts the servers
	waiting  *wire.Timer  // for any word of the present one
	heard    bool         // it came
	req      *gosip.Request
	wrote    []byte // by offer, last
	tx       *wire.ClientTx
	tries    int
	answered map[string]bool // nonces already answered
	canceled bool
}

// offered reports whether the request has a body: an INVITE with an offer.
func (x *exchange) offered() bool { return x.body }

// start sends the request. on is never called before start has returned nil.
func (x *exchange) start() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.body = len(x.req.Body()) > 0
	return x.send()
}

// send is called with mu held.
func (x *exchange) send() error {
	for {
		req := x.req.Clone()
		turn := x.turn
		// Clone makes up a destination and source of its own, which wire does not use.
		tx, err := x.s.wire.Send(req, x.dest, func(res *gosip.Response, flow wire.Flow, err error) { x.receive(turn, res, flow, err) })
		if err == nil {
			x.tx, x.local = tx, x.place()
			x.tries++
			x.watch(turn)
			return nil
		}
		if len(x.next) == 0 || !errors.Is(err, wire.ErrTransport) {
			return sipError(err)
		}
		x.advance(0)
	}
}

// watch gives the present server giveUp to say anything. It is called with mu held.
func (x *exchange) watch(turn int) {
	if x.waiting.Stop(); x.heard {
		return
	}
	if len(x.next) == 0 {
		if x.limit > 0 {
			x.waiting = x.s.wire.After(x.limit, func() {
				if x.silent(turn) {
					x.silence()
				}
			})
		}
		return
	}
	x.waiting = x.s.wire.After(giveUp*x.s.cfg.T1, func() { x.move(turn, 0) })
}

// advance makes the next server the present one. The one before is avoided, for
// as long as it wished if it did. It is called with mu held.
func (x *exchange) advance(wish time.Duration) {
	x.s.shun.add(x.dest, max(wish, avoid*x.s.cfg.T1))
	h := x.next[0]
	x.next = x.next[1:]
	x.turnTo(h)
}

// turnTo makes h the present server. It is called with mu held.
func (x *exchange) turnTo(h locate.Hop) {
	x.turn++
	x.dest = x.dest.Towards(h.Transport, h.Addr)
	x.heard, x.tries, x.answered = false, 0, nil // it has nonces of its own
	if c, ok := x.req.GetHeader("Contact").(*gosip.ContactHeader); ok {
		x.req.ReplaceHeader(x.s.recontact(c, h.Transport, h.Addr.Addr(), wire.Flow{}))
	}
	if x.offer != nil && x.body {
		x.wrote = x.offer(x.s.wire.LocalFor(h.Addr.Addr(), x.dest.Local), h.Addr.Addr())
		x.req.SetBody(x.wrote)
	}
}

// move goes on to the next server because that of turn has failed; false when
// there is none.
func (x *exchange) move(turn int, wish time.Duration) bool {
	ok, err := x.tryMove(turn, wish)
	if err != nil {
		x.on(nil, wire.Flow{}, err)
	}
	return ok
}

func (x *exchange) tryMove(turn int, wish time.Duration) (ok bool, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if turn != x.turn || x.canceled || x.req == nil || len(x.next) == 0 {
		return false, nil
	}
	old := x.tx
	x.s.log.Info("a SIP server does not answer, the next is tried", "method", string(x.req.Method), "remote", x.dest.Addrs[0], "next", x.next[0].Addr)
	x.advance(wish)
	err = x.send()
	old.Abandon()
	return true, err
}

// place is our address towards the present server. It is called with mu held.
func (x *exchange) place() netip.Addr {
	if f := x.dest.Flow; f.Valid() {
		return x.s.wire.LocalFor(f.Remote.Addr(), f.Local.Addr())
	}
	return x.s.wire.LocalFor(x.dest.Addrs[0].Addr(), x.dest.Local)
}

// displaced reports whether our address towards the present server is not the one any
// more from which the request was sent, so that no answer finds us.
func (x *exchange) displaced() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.req == nil || x.canceled || !x.local.IsValid() || wire.Web(x.dest.Transport) {
		return false
	}
	now := x.place()
	return now.IsValid() && now != x.local // no network at all may pass
}

// again sends the request to the present server once more, from where we are now. The
// one before is given up: what the far end began by it is cancelled.
func (x *exchange) again() {
	if err := x.tryAgain(x.seq()); err != nil { // seq takes the dialog's lock
		x.on(nil, wire.Flow{}, err)
	}
}

func (x *exchange) tryAgain(seq uint32) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.req == nil || x.canceled {
		return nil
	}
	h := locate.Hop{Transport: x.dest.Transport, Addr: x.dest.Flow.Remote}
	if len(x.dest.Addrs) > 0 {
		h.Addr = x.dest.Addrs[0]
	}
	x.s.log.Info("our address has changed before an answer, the request is sent anew", "method", string(x.req.Method), "remote", h.Addr, "from", x.local, "to", x.place())
	x.tx.Depart(x.place())
	x.tx.Abandon() // first, so that a telephone with one line is free again
	x.turnTo(h)
	x.req.RemoveHeader("CSeq")
	x.req.AppendHeader(&gosip.CSeqHeader{SeqNo: seq, MethodName: x.req.Method})
	return x.send()
}

// hears notes a word of the server of turn; false when that is not the present one.
func (x *exchange) hears(turn int) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if turn != x.turn {
		return false
	}
	if !x.heard {
		x.heard = true
		x.waiting.Stop()
		x.s.shun.remove(x.dest)
	}
	return true
}

// present reports whether the server of turn has not been given up.
func (x *exchange) present(turn int) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return turn == x.turn
}

// silent reports whether the server of turn is the present one and said nothing.
func (x *exchange) silent(turn int) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return turn == x.turn && !x.heard
}

// rewritten is the body for the present server, when it is not the first.
func (x *exchange) rewritten() []byte {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.wrote
}

// server is the present server and our address towards it, when it is not the first.
func (x *exchange) server() (local, remote netip.Addr) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.turn == 0 || len(x.dest.Addrs) == 0 {
		return local, remote
	}
	remote = x.dest.Addrs[0].Addr()
	return x.s.wire.LocalFor(remote, x.dest.Local), remote
}

// moved reports whether the present server is not the first.
func (x *exchange) moved() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.turn > 0
}

// receive passes on every response but a challenge that can be answered and a
// failure that another server may not have.
func (x *exchange) receive(turn int, res *gosip.Response, flow wire.Flow, err error) {
	if err != nil {
		if x.silent(turn) && !errors.Is(err, wire.ErrClosed) && x.move(turn, 0) {
			return
		}
		if x.present(turn) {
			x.on(nil, flow, sipError(err))
		}
		return
	}
	if !x.hears(turn) {
		if res.IsSuccess() && x.late != nil {
			x.late(res, flow)
		}
		return
	}
	if res.StatusCode == 503 && x.move(turn, min(headerSeconds(res, "Retry-After"), maxAvoid)) {
		return
	}
	if (res.StatusCode == 401 || res.StatusCode == 407) && x.creds != nil && x.retry(res, flow, x.answer) {
		return
	}
	if res.StatusCode == 422 && x.retry(res, flow, x.lengthen) {
		return
	}
	if res.StatusCode >= 200 {
		x.mu.Lock()
		x.req = nil // nothing will be sent again
		x.waiting.Stop()
		x.mu.Unlock()
	}
	x.on(res, flow, nil)
}

// lengthen is called with mu held.
func (x *exchange) lengthen(res *gosip.Response) bool { return lengthen(x.req, res) }

// retry sends the request again with what res asks for, which amend puts in; false
// when it cannot or should not.
func (x *exchange) retry(res *gosip.Response, flow wire.Flow, amend func(*gosip.Response) bool) bool {
	seq := x.seq() // before mu: it takes the dialog's lock
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.canceled || x.tries >= maxTries || x.req == nil || !amend(res) {
		return false
	}
	x.req.RemoveHeader("CSeq")
	x.req.AppendHeader(&gosip.CSeqHeader{SeqNo: seq, MethodName: x.req.Method})
	if flow.Alive() && !x.dest.Flow.Valid() && flow.Transport != wire.UDP {
		x.dest.Flow = flow // the connection is there already
	}
	return x.send() == nil
}

// answer adds the credentials for every challenge of res; false when there is
// none that can be answered or the same one was answered before, which means
// that the password is wrong.
func (x *exchange) answer(res *gosip.Response) bool {
	done := false
	for _, kind := range []struct{ ask, reply string }{
		{"WWW-Authenticate", "Authorization"}, {"Proxy-Authenticate", "Proxy-Authorization"},
	} {
		chal := x.pick(res.GetHeaders(kind.ask))
		if chal == nil {
			continue
		}
		cred, err := digest.Digest(chal, digest.Options{
			Method: string(x.req.Method), URI: x.req.Recipient.String(),
			Username: x.creds.Username, Password: x.creds.Password, Cnonce: cnonce(), Count: 1,
		})
		if err != nil {
			continue
		}
		x.req.RemoveHeader(kind.reply)
		x.req.AppendHeader(gosip.NewHeader(kind.reply, cred.String()))
		done = true
	}
	return done
}

// pick takes the first challenge that we can answer: the sender lists the one
// it likes best first (RFC 8760 §2.4).
func (x *exchange) pick(hs []gosip.Header) *digest.Challenge {
	for _, h := range hs {
		c, err := digest.ParseChallenge(h.Value())
		if err != nil {
			continue
		}
		for i, q := range c.QOP {
			c.QOP[i] = strings.TrimSpace(q)
		}
		c.Algorithm = strings.ToUpper(c.Algorithm)
		again := x.answered != nil && !c.Stale
		if !digest.CanDigest(c) || again || x.answered[c.Nonce] {
			continue
		}
		if len(c.QOP) > 0 && !c.SupportsQOP("auth") {
			continue // auth-int needs the body, and nobody asks for it
		}
		if x.answered == nil {
			x.answered = map[string]bool{}
		}
		x.answered[c.Nonce] = true
		return c
	}
	return nil
}

func cnonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// abort cancels an INVITE, in whichever try it is.
func (x *exchange) abort(headers ...gosip.Header) {
	x.mu.Lock()
	x.canceled = true
	x.waiting.Stop()
	tx := x.tx
	x.mu.Unlock()
	tx.Cancel(headers...)
}

func (x *exchange) current() *wire.ClientTx {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.tx
}

// sipError turns the errors of wire into those of this package.
func sipError(err error) error {
	switch {
	case errors.Is(err, wire.ErrClosed):
		return ErrClosed
	case errors.Is(err, wire.ErrTimeout):
		return ErrTimeout
	case errors.Is(err, wire.ErrTransport):
		return fmt.Errorf("%w: %w", ErrTransport, err)
	case errors.Is(err, wire.ErrState):
		return ErrState
	}
	return err
}

// statusError is the error of a refusal.
func statusError(res *gosip.Response) *StatusError {
	return &StatusError{Status: res.StatusCode, Text: clean(res.Reason), Reason: reasonOf(res), RetryAfter: headerSeconds(res, "Retry-After")}
}
