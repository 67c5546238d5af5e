package sip

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"callbox/sip/wire"
)

// maxTries bounds how often one request is sent again with credentials: a
// challenge, a stale nonce, and one of each by a proxy in between.
const maxTries = 4

// exchange is one request and its responses, with the answers to challenges
// (RFC 3261 §22.2) in between.
type exchange struct {
	s     *Stack
	dest  wire.Dest
	creds *Credentials
	seq   func() uint32 // CSeq of the next try
	on    wire.OnResponse
	body  bool // set by start

	mu       sync.Mutex // guards the rest
	req      *gosip.Request
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
	req := x.req.Clone()
	// Clone makes up a destination and source of its own, which wire does not use.
	tx, err := x.s.wire.Send(req, x.dest, x.receive)
	if err != nil {
		return sipError(err)
	}
	x.tx = tx
	x.tries++
	return nil
}

// receive passes on every response but a challenge that can be answered.
func (x *exchange) receive(res *gosip.Response, flow wire.Flow, err error) {
	if err != nil {
		x.on(nil, flow, sipError(err))
		return
	}
	if (res.StatusCode == 401 || res.StatusCode == 407) && x.retry(res, flow) {
		return
	}
	if res.StatusCode >= 200 {
		x.mu.Lock()
		x.req = nil // nothing will be sent again
		x.mu.Unlock()
	}
	x.on(res, flow, nil)
}

// retry answers a challenge; false when it cannot or should not.
func (x *exchange) retry(res *gosip.Response, flow wire.Flow) bool {
	if x.creds == nil {
		return false
	}
	seq := x.seq() // before mu: it takes the dialog's lock
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.canceled || x.tries >= maxTries || x.req == nil || !x.answer(res) {
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
	return &StatusError{Status: res.StatusCode, Text: clean(res.Reason), Reason: reasonOf(res)}
}
