package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Deadlines of connections in T1 (0.5 s). Dead peers show by TCP keep-alive
// within a minute.
const (
	strangerTime = 20 // for the first good message of an accepted connection
	partialTime  = 60 // for the rest of a message that has begun
	writeTime    = 10
	dialTime     = 10 // TLS handshake included
)

var (
	errFraming   = errors.New("the stream has no message boundary")
	keepAliveTCP = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}
)

// listener is a TCP or TLS listener.
type listener struct {
	l         *Layer
	ln        net.Listener
	transport string
	bound     netip.AddrPort
}

func (l *Layer) listenStream(transport, addr string) error {
	lc := net.ListenConfig{KeepAliveConfig: keepAliveTCP}
	ln, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return fmt.Errorf("wire: listen on %s %s: %w", transport, addr, err)
	}
	b := ln.Addr().(*net.TCPAddr).AddrPort()
	l.stream = append(l.stream, &listener{l: l, ln: ln, transport: transport, bound: netip.AddrPortFrom(b.Addr().Unmap(), b.Port())})
	return nil
}

func (s *listener) accept() {
	for {
		nc, err := s.ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			s.l.count.readErrors.Add(1)
			select { // out of descriptors: wait for some to come back
			case <-s.l.done:
				return
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		s.l.accepted(nc, s.transport)
	}
}

// accepted takes over an incoming connection unless there are too many.
func (l *Layer) accepted(nc net.Conn, transport string) {
	a := nc.RemoteAddr().(*net.TCPAddr).AddrPort()
	remote := netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	c := newConn(l, transport, remote)
	if transport == TLS {
		nc = tls.Server(nc, l.cfg.TLSConfig)
	}
	c.nc = nc
	l.enter(c)
}

// enter serves an incoming connection unless there are too many.
func (l *Layer) enter(c *conn) {
	l.mu.Lock()
	same, web := 0, 0
	for _, o := range l.conns {
		if o.remote.Addr() == c.remote.Addr() {
			same++
		}
		if Web(o.transport) {
			web++
		}
	}
	if l.closed || len(l.conns) >= maxConns || same >= maxConnsPerIP || Web(c.transport) && web >= maxWebConns {
		l.mu.Unlock()
		l.count.connsRefused.Add(1)
		_ = c.nc.Close()
		return
	}
	l.conns[connKey(c.transport, c.remote)] = c
	l.wg.Go(c.serve)
	l.mu.Unlock()
	l.count.connections.Add(1)
}

// connect gives the connection to remote, dialling when there is none, from the
// address that LocalFor names. It does not wait: messages queue up, and a failure
// reaches their transactions.
func (l *Layer) connect(transport string, remote netip.AddrPort, wish netip.Addr, host string) (*conn, error) {
	l.mu.Lock()
	old := l.conns[connKey(transport, remote)]
	l.mu.Unlock()
	if old != nil && l.moved(old) {
		old.close(errMoved)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	key := connKey(transport, remote)
	if c := l.conns[key]; c != nil {
		return c, nil
	}
	if Web(transport) {
		return nil, fmt.Errorf("%w: the browser's connection is gone", ErrTransport)
	}
	if len(l.conns) >= maxConns {
		l.count.connsRefused.Add(1)
		return nil, fmt.Errorf("%w: too many connections", ErrTransport)
	}
	c := newConn(l, transport, remote)
	c.from = l.localFor(transport, remote.Addr(), wish)
	c.admitted.Store(true)
	l.conns[key] = c
	l.wg.Go(func() { c.dial(host) })
	l.count.connections.Add(1)
	return c, nil
}

// moved reports whether the address of ours that a connection comes from is gone:
// then so is the connection, and nobody tells.
func (l *Layer) moved(c *conn) bool {
	local := c.local().Addr()
	return local.IsValid() && !Web(c.transport) && !l.ways.towards(c.remote.Addr(), local).IsValid() &&
		l.ways.towards(c.remote.Addr(), netip.Addr{}).IsValid()
}

// conn is one TCP or TLS connection, accepted or dialled, or a browser's. Its reader handles
// messages, its writer empties the bounded queue, so that senders never block.
type conn struct {
	l         *Layer
	transport string
	remote    netip.AddrPort
	from      netip.Addr // of ours, to dial from; invalid: any
	out       chan []byte
	done      chan struct{}
	dialing   context.Context // ends with the connection
	stopDial  context.CancelFunc
	admitted  atomic.Bool  // a good message has come, or we dialled
	lastRead  atomic.Int64 // Unix nanoseconds

	mu     sync.Mutex // guards the rest
	nc     pipe
	closed bool
	err    error
}

// pipe is what a connection writes to: a net.Conn, or a browser's [webPipe].
type pipe interface {
	io.WriteCloser
	SetWriteDeadline(t time.Time) error
	LocalAddr() net.Addr
}

func newConn(l *Layer, transport string, remote netip.AddrPort) *conn {
	c := &conn{l: l, transport: transport, remote: remote, out: make(chan []byte, maxOutQueue), done: make(chan struct{})}
	c.dialing, c.stopDial = context.WithCancel(context.Background())
	return c
}

// local is our address on the connection; the port is zero before it is up.
func (c *conn) local() netip.AddrPort {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nc == nil {
		return netip.AddrPortFrom(c.from, 0)
	}
	a := c.nc.LocalAddr().(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// silentSince reports whether nothing was received after t.
func (c *conn) silentSince(t time.Time) bool { return c.lastRead.Load() < t.UnixNano() }

// send queues a message. A full queue means a peer that does not read: the
// connection is given up.
func (c *conn) send(b []byte) error {
	select {
	case <-c.done:
		return c.lost()
	default:
	}
	select {
	case c.out <- b:
		return nil
	default:
		c.close(errOverflow)
		return fmt.Errorf("%w: %w", ErrTransport, errOverflow)
	}
}

// lost says why a connection that has ended did: a refused one may end before
// the first message is queued.
func (c *conn) lost() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Errorf("%w: %w", ErrTransport, c.err)
}

// dial connects and serves.
func (c *conn) dial(host string) {
	ctx, cancel := context.WithTimeout(c.dialing, dialTime*c.l.cfg.T1)
	defer cancel()
	nc, err := c.dialContext(ctx, host)
	if err != nil {
		c.close(err)
		return
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		_ = nc.Close()
		return
	}
	c.nc = nc
	c.mu.Unlock()
	c.serve()
}

func (c *conn) dialContext(ctx context.Context, host string) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: keepAliveTCP}
	if c.from.IsValid() { // what the peer knows us by
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.from, 0))
	}
	nc, err := d.DialContext(ctx, "tcp", c.remote.String())
	if err != nil || c.transport != TLS {
		return nc, err
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.l.cfg.TLSConfig != nil {
		cfg = c.l.cfg.TLSConfig.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = host
		if host == "" {
			cfg.ServerName = c.remote.Addr().String()
		}
	}
	if t := c.l.trust.Load(); t != nil {
		t.apply(cfg, c.remote.Port())
	}
	tc := tls.Client(nc, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		_ = nc.Close()
		return nil, err
	}
	return tc, nil
}

// serve reads until the connection ends, with the writer beside it.
func (c *conn) serve() {
	written := make(chan struct{})
	go func() { // ends with done, and serve waits for it
		defer close(written)
		c.write()
	}()
	switch nc := c.nc.(type) {
	case *webPipe:
		c.close(c.readWeb(nc.ws))
	case net.Conn:
		c.close(c.read(nc))
	}
	<-written
}

func (c *conn) write() {
	for {
		select {
		case <-c.done:
			return
		case b := <-c.out:
			_ = c.nc.SetWriteDeadline(time.Now().Add(writeTime * c.l.cfg.T1))
			if _, err := c.nc.Write(b); err != nil {
				c.l.count.sendErrors.Add(1)
				c.close(err)
				return
			}
		}
	}
}

func (c *conn) read(nc net.Conn) error {
	buf := make([]byte, 0, 4096)
	opened := time.Now()
	began := opened // the message that is in buf
	for {
		c.readDeadline(nc, opened, began, len(buf) > 0)
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, min(2*cap(buf), 2*maxMessage)), buf...)
		}
		n, err := nc.Read(buf[len(buf):cap(buf)])
		if err != nil {
			return err
		}
		c.lastRead.Store(time.Now().UnixNano())
		if len(buf) == 0 {
			began = time.Now()
		}
		buf = buf[:len(buf)+n]
		rest, err := c.messages(buf)
		if err != nil {
			c.l.count.malformed.Add(1)
			return err
		}
		if len(rest) < len(buf) {
			began = time.Now()
		}
		buf = buf[:copy(buf, rest)]
		if len(buf) == 0 && cap(buf) > 16384 {
			buf = make([]byte, 0, 4096)
		}
	}
}

// readDeadline bounds what a silent or slow peer may hold open; a byte now and
// then does not prolong it.
func (c *conn) readDeadline(nc net.Conn, opened, began time.Time, partial bool) {
	var t time.Time
	switch {
	case !c.admitted.Load():
		t = opened.Add(strangerTime * c.l.cfg.T1)
	case partial:
		t = began.Add(partialTime * c.l.cfg.T1)
	}
	_ = nc.SetReadDeadline(t)
}

// messages handles every whole message in buf and gives what is left.
func (c *conn) messages(buf []byte) ([]byte, error) {
	for {
		crlfs := 0
		for len(buf) >= 2 && buf[0] == '\r' && buf[1] == '\n' {
			buf = buf[2:]
			if crlfs++; crlfs == 2 { // a ping: answer it (RFC 5626 §4.4.1)
				crlfs = 0
				_ = c.send([]byte("\r\n"))
			}
		}
		n, err := frame(buf)
		if n == 0 || err != nil {
			return buf, err
		}
		c.l.Receive(buf[:n], Flow{Transport: c.transport, Local: c.local(), Remote: c.remote, conn: c})
		buf = buf[n:]
		select {
		case <-c.done:
			return nil, errRefused
		default:
		}
	}
}

// frame finds the length of the first message in buf, 0 when it is not whole
// yet (RFC 3261 §18.3). Without exactly one good Content-Length there is no
// boundary to go on from.
func frame(buf []byte) (int, error) {
	end := bytes.Index(buf, []byte("\r\n\r\n"))
	if end < 0 {
		if len(buf) > maxMessage {
			return 0, errFraming
		}
		return 0, nil
	}
	length := -1
	for line := range bytes.SplitSeq(buf[:end], []byte("\r\n")) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		name = bytes.TrimSpace(name)
		if !ok || !(bytes.EqualFold(name, []byte("Content-Length")) || bytes.EqualFold(name, []byte("l"))) {
			continue
		}
		v, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 31)
		if err != nil || length >= 0 || v > maxMessage {
			return 0, errFraming
		}
		length = int(v)
	}
	total := end + 4 + length
	if length < 0 || total > maxMessage {
		return 0, errFraming
	}
	if len(buf) < total {
		return 0, nil
	}
	return total, nil
}

// close ends the connection; its client transactions hear of it later, on the
// timer goroutine, because the caller may hold locks they need.
func (c *conn) close(err error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed, c.err = true, err
	nc := c.nc
	c.mu.Unlock()
	close(c.done)
	c.stopDial()
	if nc != nil {
		_ = nc.Close()
	}
	l := c.l
	l.mu.Lock()
	if key := connKey(c.transport, c.remote); l.conns[key] == c {
		delete(l.conns, key)
	}
	l.mu.Unlock()
	l.log.Debug("SIP connection ended", "remote", c.remote, "transport", c.transport, "err", err)
	l.After(0, func() { l.connLost(c, err) })
}

func (l *Layer) connLost(c *conn, err error) {
	l.mu.Lock()
	txs := make([]*ClientTx, 0, len(l.client))
	for _, tx := range l.client {
		txs = append(txs, tx)
	}
	l.mu.Unlock()
	for _, tx := range txs {
		tx.connLost(c, err)
	}
	l.handler.Lost(Flow{Transport: c.transport, Local: c.local(), Remote: c.remote, conn: c})
}
