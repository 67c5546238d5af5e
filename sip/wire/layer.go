package wire

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"callbox/sip/stun"
)

// Sentinels that callers branch on.
var (
	ErrClosed    = errors.New("wire: the layer is closed")
	ErrTransport = errors.New("wire: transport failed")
	ErrTimeout   = errors.New("wire: no response in time")
	ErrState     = errors.New("wire: the transaction does not allow this any more")

	errRefused  = errors.New("refused")
	errMoved    = errors.New("our address has changed")
	errOverflow = errors.New("too many messages are waiting to be written")
)

// Limits of the tables; beyond them a message or connection is dropped and counted.
const (
	maxServerTx   = 16384 // server transactions
	maxConns      = 1024  // TCP and TLS connections
	maxConnsPerIP = 256   // accepted ones from one address
	maxWebConns   = 192   // of browsers: the web server has others to serve as well
	maxOutQueue   = 256   // messages waiting on one connection
)

// Config is what a [Layer] needs.
type Config struct {
	UDP, TCP, TLS []string      // listen addresses
	Sockets       []PacketConn  // further UDP sockets, open already
	TLSConfig     *tls.Config   // certificate of listeners, RootCAs of outgoing connections
	External      string        // host shown to peers with a public address; empty: our own
	T1            time.Duration // RFC 3261 §17.1.1.1; 0: 500 ms
	Logger        *slog.Logger  // nil discards
	// Watch is shown every message of a call that is sent, or received and good;
	// it is called on readers and senders, must not block, and keeps nothing. nil:
	// nobody watches.
	Watch func(Message)
}

// Layer is the sockets and transactions of one SIP endpoint. All methods may be
// called concurrently.
type Layer struct {
	cfg     Config
	log     *slog.Logger
	parser  *sip.Parser
	handler Handler

	udp    []*udpSocket
	stream []*listener

	timers *timers
	ways   *ways
	done   chan struct{} // closed when Serve ends
	count  counters
	wg     sync.WaitGroup

	external atomic.Pointer[external]
	trust    atomic.Pointer[Trust] // nil: as TLSConfig says
	opened   time.Time

	mu     sync.Mutex // guards the rest
	binds  map[stun.ID]*bind
	server map[string]*ServerTx
	spent  spent
	client map[string]*ClientTx
	conns  map[string]*conn
	noTCP  map[netip.Addr]time.Time // hosts that refused TCP, until when
	closed bool
}

type counters struct {
	received, malformed, panics, dropped, readErrors, sendErrors, connections, connsRefused atomic.Uint64
}

// Counters tells what happened since the start.
type Counters struct {
	Received     uint64 // messages
	Malformed    uint64 // messages that failed the check
	Panics       uint64 // panics recovered while handling a message or timer
	Dropped      uint64 // requests beyond the transaction limit
	ReadErrors   uint64
	SendErrors   uint64
	Connections  uint64 // accepted and dialled
	ConnsRefused uint64 // beyond the connection limits
	ServerTx     int    // live now
	ClientTx     int
	Conns        int
}

// New opens the listeners for h. Serve starts them, or closes them at once when
// its context has ended.
func New(cfg Config, h Handler) (*Layer, error) {
	if cfg.T1 <= 0 {
		cfg.T1 = 500 * time.Millisecond
	}
	l := &Layer{
		cfg: cfg, log: cfg.Logger, handler: h, parser: sip.NewParser(), timers: newTimers(), ways: newWays(routed), done: make(chan struct{}),
		opened: time.Now(), spent: spent{by: map[string]answered{}}, binds: map[stun.ID]*bind{}, server: map[string]*ServerTx{}, client: map[string]*ClientTx{}, conns: map[string]*conn{}, noTCP: map[netip.Addr]time.Time{},
	}
	l.SetExternal(cfg.External, 0)
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if err := l.listen(); err != nil {
		l.closeListeners()
		return nil, err
	}
	return l, nil
}

func (l *Layer) listen() error {
	for _, pc := range l.cfg.Sockets {
		l.addSocket(pc)
	}
	for _, a := range l.cfg.UDP {
		if err := l.listenUDP(a); err != nil {
			return err
		}
	}
	for _, a := range l.cfg.TCP {
		if err := l.listenStream(TCP, a); err != nil {
			return err
		}
	}
	for _, a := range l.cfg.TLS {
		if err := l.listenStream(TLS, a); err != nil {
			return err
		}
	}
	return nil
}

func (l *Layer) closeListeners() {
	for _, s := range l.udp {
		_ = s.pc.Close()
	}
	for _, s := range l.stream {
		_ = s.ln.Close()
	}
}

// Serve reads until ctx ends; then it closes every socket, fails what is left
// of the client transactions with ErrClosed, and returns when all goroutines
// have ended. It is called once.
func (l *Layer) Serve(ctx context.Context) {
	for _, s := range l.udp {
		l.wg.Go(s.read)
	}
	for _, s := range l.stream {
		l.wg.Go(s.accept)
	}
	l.wg.Go(func() { l.timers.run(l.done, func(fn func()) { l.guard(fn) }) })
	var routes *os.File
	if len(l.cfg.UDP)+len(l.cfg.TCP)+len(l.cfg.TLS) > 0 { // Sockets alone may have nothing to do with the kernel
		routes = watchRoutes()
	}
	if routes != nil {
		l.wg.Go(func() { l.ways.watch(routes) })
	}
	<-ctx.Done()
	l.close()
	if routes != nil {
		_ = routes.Close() // ends the watch
	}
	l.wg.Wait()
	l.timers.drop()
}

func (l *Layer) close() {
	l.mu.Lock()
	l.closed = true
	conns, clients := l.conns, l.client
	l.spent = spent{by: map[string]answered{}}
	l.conns, l.client, l.server = map[string]*conn{}, map[string]*ClientTx{}, map[string]*ServerTx{}
	l.mu.Unlock()
	close(l.done)
	l.closeListeners()
	for _, c := range conns {
		c.close(ErrClosed)
	}
	for _, tx := range clients {
		l.guard(func() { tx.fail(ErrClosed) })
	}
}

// After runs fn in d on the timer goroutine, unless stopped. fn must not block.
func (l *Layer) After(d time.Duration, fn func()) *Timer { return l.timers.after(d, fn) }

// T1 is the round-trip estimate that all timers follow.
func (l *Layer) T1() time.Duration { return l.cfg.T1 }

// Counters is a snapshot.
func (l *Layer) Counters() Counters {
	l.mu.Lock()
	st, ct, cn := len(l.server)+len(l.spent.by), len(l.client), len(l.conns)
	l.mu.Unlock()
	c := &l.count
	return Counters{
		Received: c.received.Load(), Malformed: c.malformed.Load(), Panics: c.panics.Load(), Dropped: c.dropped.Load(),
		ReadErrors: c.readErrors.Load(), SendErrors: c.sendErrors.Load(),
		Connections: c.connections.Load(), ConnsRefused: c.connsRefused.Load(),
		ServerTx: st, ClientTx: ct, Conns: cn,
	}
}

// guard calls fn and survives its panic, which it reports by false: no message
// may end the process.
func (l *Layer) guard(fn func()) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			ok = false
			l.count.panics.Add(1)
			l.log.Error("recovered while handling a SIP message or timer", "err", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	fn()
	return true
}

// Receive handles one message of any kind as having come by flow. It is what
// every reader calls, and the whole way of a message up to its transaction and
// handler. Nothing of raw is kept.
func (l *Layer) Receive(raw []byte, flow Flow) {
	l.count.received.Add(1)
	l.guard(func() {
		if !l.handler.Admit(flow) {
			flow.Close()
			return
		}
		msg, err := l.parser.ParseSIP(raw)
		switch m := msg.(type) {
		case *sip.Request:
			if err == nil {
				err = CheckRequest(m)
			}
			if err == nil {
				l.watchReceived(m, flow, raw)
				l.request(m, flow)
				return
			}
			l.malformed(m, raw, flow, err)
		case *sip.Response:
			if err == nil {
				err = CheckResponse(m)
			}
			if err == nil {
				l.watchReceived(m, flow, raw)
				l.response(m, flow)
				return
			}
			l.malformed(nil, raw, flow, err)
		default:
			l.malformed(nil, raw, flow, err)
		}
	})
}

// malformed answers 400 or better where that is possible and deserved (RFC 3261 §8.2),
// and is silent otherwise: a scanner learns nothing from it.
func (l *Layer) malformed(req *sip.Request, raw []byte, flow Flow, err error) {
	l.count.malformed.Add(1)
	l.handler.Nonsense(flow)
	l.log.Debug("malformed SIP message", "err", err, "remote", flow.Remote, "transport", flow.Transport)
	if req != nil && req.Method != sip.ACK && answerable(req) && l.handler.Known(flow) {
		markVia(req, flow)
		res := NewResponse(req, sip.StatusBadRequest, "Bad Request", NewTag())
		_ = responseFlow(req, flow).send(encode(res))
		return
	}
	if !l.handler.Known(flow) {
		flow.Close()
		return
	}
	if res := refusal(raw); res != nil {
		_ = flow.send(res)
	}
}

// request finds the transaction of a request or starts one.
func (l *Layer) request(req *sip.Request, flow Flow) {
	markVia(req, flow)
	if flow.conn != nil {
		flow.conn.admitted.Store(true) // a stranger's Drop closes it again
	}
	key := serverKey(req, req.Method)
	if req.IsAck() {
		if tx := l.serverTx(serverKey(req, sip.INVITE)); tx != nil && tx.acknowledge() {
			return
		}
		l.handler.Request(req, flow, nil)
		return
	}
	tx := newServerTx(l, key, req, flow)
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	if old := l.server[key]; old != nil {
		l.mu.Unlock()
		old.repeatLast()
		return
	}
	if a, ok := l.spent.by[key]; ok {
		l.mu.Unlock()
		a.repeat(req, flow)
		return
	}
	if len(l.server)+len(l.spent.by) >= maxServerTx {
		l.mu.Unlock()
		l.count.dropped.Add(1)
		return
	}
	l.server[key] = tx
	l.mu.Unlock()
	tx.start()

	if req.IsCancel() {
		inv, tag, over := l.invite(serverKey(req, sip.INVITE))
		if over { // it comes too late (RFC 3261 §9.2)
			_ = tx.Respond(NewResponse(req, sip.StatusOK, "OK", cmp.Or(tag, NewTag())))
			return
		}
		// Only the sender of the INVITE may cancel it (RFC 3261 §26.2 has no other proof).
		if inv != nil && inv.flow.Remote.Addr() == flow.Remote.Addr() {
			_ = tx.Respond(NewResponse(req, sip.StatusOK, "OK", inv.toTag()))
			inv.cancel(req)
			return
		}
	}
	if !l.guard(func() { l.handler.Request(req, flow, tx) }) {
		_ = tx.Respond(NewResponse(req, sip.StatusInternalServerError, "Server Internal Error", NewTag()))
	}
}

func (l *Layer) response(res *sip.Response, flow Flow) {
	if flow.conn != nil {
		flow.conn.admitted.Store(true)
	}
	l.mu.Lock()
	tx := l.client[clientKey(branchOf(res.Via()), res.CSeq().MethodName)]
	l.mu.Unlock()
	if tx != nil {
		tx.receive(res, flow)
	}
}

func (l *Layer) serverTx(key string) *ServerTx {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.server[key]
}

func (l *Layer) forgetServer(tx *ServerTx) {
	l.mu.Lock()
	if l.server[tx.key] == tx {
		delete(l.server, tx.key)
	}
	l.mu.Unlock()
}

func (l *Layer) forgetClient(tx *ClientTx) {
	l.mu.Lock()
	if l.client[tx.key] == tx {
		delete(l.client, tx.key)
	}
	l.mu.Unlock()
}

// Addr is the address of the first listener of a transport.
func (l *Layer) Addr(transport string) netip.AddrPort {
	if transport == UDP {
		if len(l.udp) > 0 {
			return l.udp[0].bound
		}
		return netip.AddrPort{}
	}
	for _, s := range l.stream {
		if s.transport == transport {
			return s.bound
		}
	}
	return netip.AddrPort{}
}

// LocalFor is the address of ours that remote sees: of the listeners' own
// addresses when they have some, otherwise wish when it is ours and reaches
// remote, otherwise the one the kernel uses towards remote. It is invalid when
// there is no route. wish may be the zero Addr.
func (l *Layer) LocalFor(remote, wish netip.Addr) netip.Addr { return l.localFor("", remote, wish) }

// localFor looks only at the listeners of one transport, or at all for "".
func (l *Layer) localFor(transport string, remote, wish netip.Addr) netip.Addr {
	local := l.ways.towards(remote, netip.Addr{})
	if wish.IsValid() && !wish.IsUnspecified() && wish != local && wish.Is4() == remote.Is4() && l.ways.towards(remote, wish).IsValid() {
		local = wish
	}
	var bound netip.Addr
	for _, b := range l.boundTo(transport) {
		switch {
		case b.Addr().IsUnspecified() && (b.Addr().Is6() || remote.Is4()), b.Addr() == local:
			return local
		case !bound.IsValid() && b.Addr().Is4() == remote.Is4():
			bound = b.Addr()
		}
	}
	if bound.IsValid() {
		return bound
	}
	return local
}

// boundTo lists the addresses of the listeners of a transport, of all for "".
func (l *Layer) boundTo(transport string) []netip.AddrPort {
	var bs []netip.AddrPort
	for _, s := range l.udp {
		if transport == UDP || transport == "" {
			bs = append(bs, s.bound)
		}
	}
	for _, s := range l.stream {
		if transport == s.transport || transport == "" {
			bs = append(bs, s.bound)
		}
	}
	return bs
}

// SentBy is the host and port at which remote reaches us on a transport: for
// Via and Contact. flow, when it is one, tells our address for certain.
func (l *Layer) SentBy(transport string, remote netip.Addr, flow Flow) (host string, port uint16) {
	local := flow.Local.Addr()
	if !local.IsValid() || local.IsUnspecified() {
		local = l.localFor(transport, remote, netip.Addr{})
	}
	port = l.portOn(flow, transport, local)
	if e := l.external.Load(); e != nil && Outside(remote, e.host) {
		if transport == UDP && e.udp != 0 {
			port = e.udp
		}
		return e.host, port
	}
	if !local.IsValid() {
		local = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return local.WithZone("").String(), port
}

// Outside reports whether a peer at remote reaches us at external, the address
// outside of a NAT: not one in a private network (RFC 1918, RFC 4193), which
// sees our own address, and not one of the other family.
func Outside(remote netip.Addr, external string) bool {
	if inside(remote) {
		return false
	}
	a, err := netip.ParseAddr(external)
	return err != nil || a.Is4() == remote.Is4()
}

// shared are the addresses between a provider's NAT and its customers (RFC
// 6598), which private networks between hosts use as well.
var shared = netip.MustParsePrefix("100.64.0.0/10")

// inside reports whether a is of no use beyond its own network.
func inside(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || shared.Contains(a)
}

// portFor is the port of the listener for local, or of any of the transport.
func (l *Layer) portFor(transport string, local netip.Addr) uint16 {
	var port uint16
	for _, b := range l.boundTo(transport) {
		exact := b.Addr() == local || (b.Addr().IsUnspecified() && b.Addr().Is4() == local.Is4())
		if port == 0 || exact {
			port = b.Port()
		}
		if exact {
			break
		}
	}
	if port == 0 && transport != UDP {
		return l.portFor(UDP, local) // we dial this transport but do not listen on it
	}
	return port
}
