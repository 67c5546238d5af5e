package wire

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

type txState int

const (
	stCalling    txState = iota // client: nothing heard yet
	stProceeding                // a provisional response passed, or (server) no final yet
	stAccepted                  // INVITE: a 2xx passed (RFC 6026)
	stCompleted                 // a final response that is not 2xx to INVITE passed
	stConfirmed                 // server INVITE: acknowledged
	stTerminated
)

// ServerTx is a server transaction (RFC 3261 §17.2): it answers repeated
// requests, and repeats the final response to an INVITE until its ACK. When only
// repetitions may come it makes way for an [answered].
type ServerTx struct {
	l      *Layer
	key    string
	flow   Flow // the request's
	back   Flow // of the responses
	invite bool

	mu       sync.Mutex // guards the rest
	state    txState
	req      *sip.Request // until the final response
	last     []byte       // last response
	tag      string       // To tag of what we responded
	interval time.Duration
	repeat   *Timer
	expire   *Timer
	onCancel func(*sip.Request)
	onLost   func()
	canceled *sip.Request // a CANCEL that came before OnCancel
}

func newServerTx(l *Layer, key string, req *sip.Request, flow Flow) *ServerTx {
	return &ServerTx{l: l, key: key, req: req, flow: flow, back: responseFlow(req, flow), invite: req.IsInvite(), state: stProceeding}
}

func (tx *ServerTx) start() {
	if tx.invite {
		return // its end is the user's business: a phone may ring for long
	}
	t := tx.l.After(64*tx.l.cfg.T1, tx.Drop)
	tx.mu.Lock()
	tx.expire = t
	tx.mu.Unlock()
}

// OnCancel calls f, never before it returns, when a CANCEL for this INVITE has
// come (and was answered).
func (tx *ServerTx) OnCancel(f func(cancel *sip.Request)) {
	tx.mu.Lock()
	tx.onCancel = f
	cancel := tx.canceled
	tx.mu.Unlock()
	if cancel != nil {
		tx.l.After(0, func() { f(cancel) })
	}
}

func (tx *ServerTx) cancel(req *sip.Request) {
	tx.mu.Lock()
	if tx.state != stProceeding || tx.canceled != nil {
		tx.mu.Unlock()
		return
	}
	tx.canceled = req
	f := tx.onCancel
	tx.mu.Unlock()
	if f != nil {
		f(req)
	}
}

// OnUnacknowledged calls f when the 2xx to this INVITE got no ACK in 64 T1.
func (tx *ServerTx) OnUnacknowledged(f func()) {
	tx.mu.Lock()
	tx.onLost = f
	tx.mu.Unlock()
}

// Respond sends a response. ErrState says that a final one was sent before; a
// transport error leaves the transaction as if the response had been lost.
func (tx *ServerTx) Respond(res *sip.Response) error {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.state != stProceeding {
		return fmt.Errorf("%w: response %d", ErrState, res.StatusCode)
	}
	tx.last = encode(res)
	if tag, ok := Param(res.To().Params, "tag"); ok {
		tx.tag = tag
	}
	err := tx.write(tx.last)
	if res.StatusCode < 200 {
		return err
	}
	req := tx.req
	tx.req, tx.canceled, tx.onCancel = nil, nil, nil
	tx.expire.Stop()
	t1 := tx.l.cfg.T1
	reliable := Reliable(tx.flow.Transport)
	switch {
	case tx.invite && res.StatusCode < 300:
		// RFC 3261 §13.3.1.4: repeated over every transport, there may be UDP behind it.
		tx.state = stAccepted
		tx.again(t1)
		tx.expire = tx.l.After(64*t1, tx.unacknowledged)
	case tx.invite:
		tx.state = stCompleted
		if !reliable {
			tx.again(t1)
		}
		tx.expire = tx.l.After(64*t1, tx.Drop)
	default:
		tx.state = stCompleted
		if reliable {
			tx.finish()
			return err
		}
		tx.l.spend(tx, answeredBy(req, res, tx.last))
		tx.last, tx.expire = nil, nil
	}
	return err
}

// again repeats the last response after d, then after twice d up to T2. It is
// called with mu held.
func (tx *ServerTx) again(d time.Duration) {
	tx.interval = d
	tx.repeat = tx.l.After(d, func() {
		tx.mu.Lock()
		defer tx.mu.Unlock()
		if tx.last == nil || (tx.state != stAccepted && tx.state != stCompleted) {
			return
		}
		_ = tx.write(tx.last)
		tx.again(min(2*tx.interval, 8*tx.l.cfg.T1))
	})
}

// write sends on the request's path; when its connection is gone, on a new one
// to where the request said it listens (RFC 3261 §18.2.2).
func (tx *ServerTx) write(b []byte) error {
	if tx.back.conn == nil || tx.back.Alive() {
		return tx.back.send(b)
	}
	if tx.req != nil {
		port := tx.req.Via().Port
		if port <= 0 {
			port = defaultPort(tx.flow.Transport)
		}
		if c, err := tx.l.connect(tx.flow.Transport, netip.AddrPortFrom(tx.flow.Remote.Addr(), uint16(port)), tx.flow.Local.Addr(), ""); err == nil {
			tx.back.conn = c
		}
	}
	return tx.back.send(b)
}

// repeatLast answers a repeated request.
func (tx *ServerTx) repeatLast() {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	// In Accepted the user's 2xx is being repeated anyway (RFC 6026 §7.1).
	if tx.last != nil && (tx.state == stProceeding || tx.state == stCompleted) {
		_ = tx.write(tx.last)
	}
}

// acknowledge takes an ACK with the INVITE's branch and reports whether it was
// that of a refusal; the ACK of a 2xx goes to the user, whatever its branch.
func (tx *ServerTx) acknowledge() bool {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	switch tx.state {
	case stCompleted:
		if tx.settle() {
			tx.expire = tx.l.After(10*tx.l.cfg.T1, tx.Drop) // timer I = T4
		}
		return true
	case stConfirmed:
		return true
	}
	return false
}

// Acknowledged stops the repetition of the 2xx: its ACK has come.
func (tx *ServerTx) Acknowledged() {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.state != stAccepted {
		return
	}
	if tx.settle() {
		tx.l.spend(tx, swallowed+answered(tx.tag)) // timer L
	}
}

// settle drops everything but the key, which is to swallow late repetitions, and
// reports whether there may be any.
func (tx *ServerTx) settle() bool {
	tx.repeat.Stop()
	tx.expire.Stop()
	tx.state, tx.last, tx.onLost = stConfirmed, nil, nil
	tx.repeat, tx.expire = nil, nil
	if Reliable(tx.flow.Transport) {
		tx.finish()
		return false
	}
	return true
}

func (tx *ServerTx) unacknowledged() {
	tx.mu.Lock()
	f := tx.onLost
	waiting := tx.state == stAccepted
	tx.finish()
	tx.mu.Unlock()
	if waiting && f != nil {
		f()
	}
}

// Drop forgets the transaction without a word.
func (tx *ServerTx) Drop() {
	tx.mu.Lock()
	tx.finish()
	tx.mu.Unlock()
}

// finish is called with mu held.
func (tx *ServerTx) finish() {
	tx.state = stTerminated
	tx.req, tx.last, tx.canceled, tx.onCancel, tx.onLost = nil, nil, nil, nil, nil
	tx.repeat.Stop()
	tx.expire.Stop()
	tx.l.forgetServer(tx)
}

func (tx *ServerTx) toTag() string {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.tag != "" {
		return tx.tag
	}
	return NewTag()
}

func defaultPort(transport string) int {
	if transport == TLS {
		return 5061
	}
	return 5060
}
