package wire

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// safeDatagram is the size in bytes above which a request goes over TCP when
// the peer takes it (RFC 3261 §18.1.1).
const safeDatagram = 1300

// OnResponse is told every provisional response, each final one (several 2xx to
// a forked INVITE), or the error that ended the transaction without: ErrTimeout,
// ErrTransport or ErrClosed. It is called in the order of arrival, never during
// Send, and must not block.
type OnResponse func(res *sip.Response, flow Flow, err error)

// ClientTx is a client transaction (RFC 3261 §17.1). After the final response
// it holds at most the bytes of an ACK.
type ClientTx struct {
	l      *Layer
	invite bool
	method sip.RequestMethod

	mu       sync.Mutex // guards the rest
	on       OnResponse
	key      string // also guarded by l.mu while registered
	state    txState
	req      *sip.Request // until the final response
	raw      []byte
	path     Flow
	tries    []try // what is left to try when nothing could be sent
	sent     time.Time
	interval time.Duration
	repeat   *Timer
	expire   *Timer
	cancel   []sip.Header // of the CANCEL that waits for a provisional response
	wanted   bool         // a CANCEL was asked for
	ack      []byte
	ackFlow  Flow
	ackTag   string
}

// try is one way to reach a destination.
type try struct {
	transport string
	addr      netip.AddrPort
	local     netip.Addr // Dest.Local
	host      string
	flow      Flow
}

// Send starts a transaction. req has everything but Via; the layer owns it from
// here on. on must not be nil.
func (l *Layer) Send(req *sip.Request, dest Dest, on OnResponse) (*ClientTx, error) {
	tx := &ClientTx{l: l, invite: req.IsInvite(), method: req.Method, on: on, req: req, state: stCalling}
	tx.tries = l.tries(req, dest)
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if err := tx.next(); err != nil {
		return nil, err
	}
	return tx, nil
}

// tries lists the ways to dest, best first. Big requests try TCP before UDP.
func (l *Layer) tries(req *sip.Request, dest Dest) []try {
	if dest.Flow.Valid() && dest.Flow.Alive() {
		return []try{{flow: dest.Flow, transport: dest.Flow.Transport, addr: dest.Flow.Remote}}
	}
	addrs := dest.Addrs
	transport := dest.Transport
	if len(addrs) == 0 && dest.Flow.Valid() {
		addrs, transport = []netip.AddrPort{dest.Flow.Remote}, dest.Flow.Transport
	}
	var ts []try
	big := transport == UDP && len(encode(req))+160 > safeDatagram // 160: our Via
	for _, a := range addrs {
		if big && !l.refusesTCP(a.Addr()) {
			ts = append(ts, try{transport: TCP, addr: a, local: dest.Local})
		}
		ts = append(ts, try{transport: transport, addr: a, local: dest.Local, host: dest.Host})
	}
	return ts
}

func (l *Layer) refusesTCP(a netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	until, ok := l.noTCP[a]
	if ok && time.Now().After(until) {
		delete(l.noTCP, a)
		return false
	}
	return ok
}

// noteNoTCP remembers for 10 minutes that a host does not take TCP.
func (l *Layer) noteNoTCP(a netip.Addr) {
	l.mu.Lock()
	if len(l.noTCP) >= 1024 {
		clear(l.noTCP)
	}
	l.noTCP[a] = time.Now().Add(10 * time.Minute)
	l.mu.Unlock()
}

// path opens the way to a destination.
func (l *Layer) path(t try) (Flow, error) {
	if t.flow.Valid() {
		return t.flow, nil
	}
	if !t.addr.IsValid() {
		return Flow{}, fmt.Errorf("%w: no address", ErrTransport)
	}
	if t.transport == UDP {
		s, local := l.socketFor(t.addr.Addr(), t.local)
		if s == nil {
			return Flow{}, fmt.Errorf("%w: no UDP socket for %s", ErrTransport, t.addr)
		}
		return Flow{Transport: UDP, Local: netip.AddrPortFrom(local, s.bound.Port()), Remote: t.addr, sock: s}, nil
	}
	c, err := l.connect(t.transport, t.addr, t.local, t.host)
	if err != nil {
		return Flow{}, err
	}
	return Flow{Transport: t.transport, Local: c.local(), Remote: t.addr, conn: c}, nil
}

// stamp puts a fresh Via on req for flow and returns its branch.
func (l *Layer) stamp(req *sip.Request, flow Flow) string {
	host, port := l.SentBy(flow.Transport, flow.Remote.Addr(), flow)
	via := &sip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: strings.ToUpper(flow.Transport), Host: host, Port: int(port)}
	branch := cookie + NewTag()
	via.Params.Add("branch", branch)
	via.Params.Add("rport", "")
	req.PrependHeader(via)
	return branch
}

// next sends the request the next way that works. It is called with mu held.
func (tx *ClientTx) next() error {
	err := fmt.Errorf("%w: no address", ErrTransport)
	for len(tx.tries) > 0 {
		t := tx.tries[0]
		tx.tries = tx.tries[1:]
		var flow Flow
		if flow, err = tx.l.path(t); err != nil {
			continue
		}
		for tx.key != "" && tx.req.RemoveHeader("Via") { // that of the failed try
		}
		if err = tx.register(clientKey(tx.l.stamp(tx.req, flow), tx.method)); err != nil {
			return err
		}
		tx.path, tx.raw, tx.sent = flow, encode(tx.req), time.Now()
		if err = flow.send(tx.raw); err != nil {
			continue
		}
		tx.startTimers()
		return nil
	}
	if tx.key != "" {
		tx.l.forgetClient(tx)
	}
	return err
}

func (tx *ClientTx) register(key string) error {
	l := tx.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	if tx.key != "" && l.client[tx.key] == tx {
		delete(l.client, tx.key)
	}
	tx.key = key
	l.client[key] = tx
	return nil
}

// startTimers starts timers A and B, or E and F.
func (tx *ClientTx) startTimers() {
	t1 := tx.l.cfg.T1
	tx.repeat.Stop()
	tx.expire.Stop()
	if !Reliable(tx.path.Transport) {
		tx.again(t1)
	}
	tx.expire = tx.l.After(64*t1, tx.timeout)
}

func (tx *ClientTx) again(d time.Duration) {
	tx.interval = d
	tx.repeat = tx.l.After(d, func() {
		tx.mu.Lock()
		defer tx.mu.Unlock()
		waiting := tx.state == stCalling || (tx.state == stProceeding && !tx.invite)
		if !waiting || tx.raw == nil {
			return
		}
		_ = tx.path.send(tx.raw)
		d := 2 * tx.interval
		if !tx.invite {
			d = min(d, 8*tx.l.cfg.T1)
		}
		tx.again(d)
	})
}

func (tx *ClientTx) timeout() {
	tx.mu.Lock()
	path, sent := tx.path, tx.sent
	tx.mu.Unlock()
	if path.conn != nil && path.conn.silentSince(sent) {
		path.conn.close(ErrTimeout) // nothing came since: the connection is dead
	}
	tx.fail(ErrTimeout)
}

// fail ends the transaction; the user hears of it unless it had its final response.
func (tx *ClientTx) fail(err error) {
	tx.mu.Lock()
	on := tx.on
	if tx.state != stCalling && tx.state != stProceeding {
		on = nil
	}
	tx.finish()
	tx.mu.Unlock()
	if on != nil {
		on(nil, Flow{}, err)
	}
}

// Detach makes the transaction forget its user: it only repeats its ACK from
// here on, and holds nothing of the dialog that has ended.
func (tx *ClientTx) Detach() {
	tx.mu.Lock()
	tx.on = nil
	tx.mu.Unlock()
}

// connLost is told that the connection of the path has gone.
func (tx *ClientTx) connLost(c *conn, err error) {
	tx.mu.Lock()
	if tx.path.conn != c || (tx.state != stCalling && tx.state != stProceeding) {
		tx.mu.Unlock()
		return
	}
	if tx.state == stCalling && !errors.Is(err, ErrClosed) {
		if len(tx.tries) > 0 && tx.tries[0].transport == UDP && tx.tries[0].addr == tx.path.Remote {
			tx.l.noteNoTCP(tx.path.Remote.Addr())
		}
		if tx.next() == nil {
			tx.mu.Unlock()
			return
		}
	}
	tx.mu.Unlock()
	tx.fail(fmt.Errorf("%w: %w", ErrTransport, err))
}

// finish is called with mu held.
func (tx *ClientTx) finish() {
	tx.state = stTerminated
	tx.on, tx.req, tx.raw, tx.tries, tx.ack, tx.cancel = nil, nil, nil, nil, nil, nil
	tx.repeat.Stop()
	tx.expire.Stop()
	tx.l.forgetClient(tx)
}

// receive handles a response. One transaction's responses may come on several
// readers only when the far end changes sockets; mu keeps the states right.
func (tx *ClientTx) receive(res *sip.Response, flow Flow) {
	tx.mu.Lock()
	on := tx.on // finish forgets it
	deliver := false
	switch {
	case res.StatusCode < 200:
		deliver = tx.provisional()
	case !tx.invite:
		deliver = tx.state == stCalling || tx.state == stProceeding
		tx.finish()
	case res.StatusCode < 300:
		deliver = tx.accepted(res)
	default:
		deliver = tx.refused(res)
	}
	tx.mu.Unlock()
	if deliver && on != nil {
		on(res, flow, nil)
	}
}

func (tx *ClientTx) provisional() bool {
	if tx.state != stCalling && tx.state != stProceeding {
		return false
	}
	first := tx.state == stCalling
	tx.state = stProceeding
	if tx.invite && first {
		tx.repeat.Stop()
		tx.expire.Stop()
		tx.expire = nil
		if tx.wanted {
			tx.sendCancel()
		}
	}
	return true
}

func (tx *ClientTx) accepted(res *sip.Response) bool {
	switch tx.state {
	case stCalling, stProceeding:
		tx.repeat.Stop()
		tx.expire.Stop()
		tx.state, tx.req, tx.raw, tx.tries, tx.cancel = stAccepted, nil, nil, nil, nil
		tx.expire = tx.l.After(64*tx.l.cfg.T1, func() { tx.fail(ErrTimeout) }) // timer M
		return true
	case stAccepted:
		if tag, _ := Param(res.To().Params, "tag"); tx.ack != nil && tag == tx.ackTag {
			_ = tx.ackFlow.send(tx.ack)
			return false
		}
		return true
	}
	return false
}

func (tx *ClientTx) refused(res *sip.Response) bool {
	switch tx.state {
	case stCalling, stProceeding:
		tx.ack, tx.ackFlow = encode(ackRefusal(tx.req, res)), tx.path
		_ = tx.ackFlow.send(tx.ack)
		tx.repeat.Stop()
		tx.expire.Stop()
		tx.state, tx.on, tx.req, tx.raw, tx.tries, tx.cancel = stCompleted, nil, nil, nil, nil, nil
		if Reliable(tx.path.Transport) {
			tx.finish()
		} else {
			tx.expire = tx.l.After(64*tx.l.cfg.T1, func() { tx.fail(ErrTimeout) }) // timer D
		}
		return true
	case stCompleted:
		_ = tx.ackFlow.send(tx.ack)
	}
	return false
}

// Ack sends the ACK of a 2xx and repeats it whenever that 2xx is repeated. req
// has everything but Via.
func (tx *ClientTx) Ack(req *sip.Request, dest Dest, toTag string) error {
	flow, raw, err := tx.l.write(req, dest)
	tx.mu.Lock()
	if tx.state == stAccepted {
		tx.ack, tx.ackFlow, tx.ackTag = raw, flow, toTag
	}
	tx.mu.Unlock()
	return err
}

// Write sends a request outside any transaction: the ACK of a 2xx.
func (l *Layer) Write(req *sip.Request, dest Dest) error {
	_, _, err := l.write(req, dest)
	return err
}

func (l *Layer) write(req *sip.Request, dest Dest) (Flow, []byte, error) {
	err := fmt.Errorf("%w: no address", ErrTransport)
	for _, t := range l.tries(req, dest) {
		var flow Flow
		if flow, err = l.path(t); err != nil {
			continue
		}
		l.stamp(req, flow)
		raw := encode(req)
		return flow, raw, flow.send(raw)
	}
	return Flow{}, nil, err
}

// Cancel asks the far end to give up an INVITE (RFC 3261 §9.1): at once when a
// provisional response has come, otherwise when the first one comes. headers
// are added to the CANCEL. The final response, usually 487, still arrives; when
// it does not within 64 T1 of the CANCEL, the transaction ends with ErrTimeout.
func (tx *ClientTx) Cancel(headers ...sip.Header) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if !tx.invite || tx.wanted || (tx.state != stCalling && tx.state != stProceeding) {
		return
	}
	tx.wanted, tx.cancel = true, headers
	if tx.state == stProceeding {
		tx.sendCancel()
	}
}

// Depart has what follows in the transaction, such as a CANCEL, come from another
// address of ours. A connection cannot: nothing changes.
func (tx *ClientTx) Depart(local netip.Addr) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.path.Valid() && !Reliable(tx.path.Transport) {
		tx.path = tx.l.From(tx.path, local)
	}
}

// Abandon gives this transaction up for another one elsewhere: nothing is
// repeated any more, and an INVITE that turns out to have arrived is cancelled.
// What the far end answers, a 2xx above all, still reaches the user; a request
// other than INVITE is forgotten.
func (tx *ClientTx) Abandon() {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	switch {
	case tx.state != stCalling && tx.state != stProceeding:
	case !tx.invite:
		tx.finish()
	default:
		tx.repeat.Stop()
		tx.tries = nil
		if tx.wanted {
			return
		}
		if tx.wanted = true; tx.state == stProceeding {
			tx.sendCancel()
		}
	}
}

// sendCancel is called with mu held.
func (tx *ClientTx) sendCancel() {
	req := cancelRequest(tx.req, tx.cancel)
	c := &ClientTx{l: tx.l, method: sip.CANCEL, req: req, state: stCalling, path: tx.path}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.register(clientKey(branchOf(req.Via()), sip.CANCEL)) != nil {
		return
	}
	c.raw, c.sent = encode(req), time.Now()
	_ = c.path.send(c.raw)
	c.startTimers()
	tx.expire.Stop()
	tx.expire = tx.l.After(64*tx.l.cfg.T1, func() { tx.fail(ErrTimeout) })
}

// cancelRequest builds the CANCEL of an INVITE (RFC 3261 §9.1).
func cancelRequest(inv *sip.Request, headers []sip.Header) *sip.Request {
	req := sip.NewRequest(sip.CANCEL, inv.Recipient)
	req.AppendHeader(inv.Via().Clone())
	sip.CopyHeaders("Route", inv, req)
	common(req, inv, inv.To(), sip.CANCEL)
	for _, h := range headers {
		req.AppendHeader(h)
	}
	req.SetBody(nil)
	return req
}

// ackRefusal builds the ACK of a final response that is not 2xx (RFC 3261
// §17.1.1.3): on the same branch, to the same place.
func ackRefusal(inv *sip.Request, res *sip.Response) *sip.Request {
	req := sip.NewRequest(sip.ACK, inv.Recipient)
	req.AppendHeader(inv.Via().Clone())
	sip.CopyHeaders("Route", inv, req)
	common(req, inv, res.To(), sip.ACK)
	req.SetBody(nil)
	return req
}

// common adds the headers that CANCEL and ACK share with their INVITE.
func common(req, inv *sip.Request, to *sip.ToHeader, method sip.RequestMethod) {
	maxForwards := sip.MaxForwardsHeader(70)
	req.AppendHeader(&maxForwards)
	req.AppendHeader(sip.HeaderClone(inv.From()))
	req.AppendHeader(sip.HeaderClone(to))
	req.AppendHeader(sip.HeaderClone(inv.CallID()))
	req.AppendHeader(&sip.CSeqHeader{SeqNo: inv.CSeq().SeqNo, MethodName: method})
}
