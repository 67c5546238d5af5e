package wire

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// subprotocol is the name of SIP among the protocols over websockets (RFC 7118 §4.1).
const subprotocol = "sip"

// Times of browsers' connections, in T1 (0.5 s).
const (
	webPing  = 60   // between two pings
	webPong  = 20   // for the answer
	webQuiet = 1200 // without a message, then a connection that nobody needs is closed
)

var (
	errNoSubprotocol = errors.New("this address speaks SIP over websockets: ask for the subprotocol sip")
	errNoPong        = errors.New("the browser does not answer")
	errIdle          = errors.New("nobody needs the connection")
)

// Upgrade makes a browser's connection of an HTTP request (RFC 7118 §4), over
// TLS when the request came so. It answers refusals itself, and returns at once:
// the connection is the layer's from then on.
//
// Pages of every origin may connect. Nothing that a browser keeps by itself, as
// cookies are, counts here: whoever wants something shows SIP credentials with
// it, and the handler's guard counts wrong ones as it does over other transports.
func (l *Layer) Upgrade(w http.ResponseWriter, r *http.Request) {
	local, here := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if !here || err != nil {
		http.Error(w, "the connection has no address", http.StatusInternalServerError)
		return
	}
	if !offersSIP(r.Header) {
		http.Error(w, errNoSubprotocol.Error(), http.StatusBadRequest)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}, InsecureSkipVerify: true})
	if err != nil {
		l.log.Debug("websocket refused", "remote", r.RemoteAddr, "err", err)
		return // it has been answered
	}
	ws.SetReadLimit(maxMessage)
	transport := WS
	if r.TLS != nil {
		transport = WSS
	}
	c := newConn(l, transport, netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port()))
	c.nc = &webPipe{ws: ws, here: local}
	c.lastRead.Store(time.Now().UnixNano())
	l.enter(c)
}

// offersSIP reports whether the subprotocol is among those that the browser offers.
func offersSIP(h http.Header) bool {
	for _, v := range h.Values("Sec-WebSocket-Protocol") {
		for p := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(p), subprotocol) {
				return true
			}
		}
	}
	return false
}

// readWeb handles messages until the connection ends, with the pings beside it.
func (c *conn) readWeb(ws *websocket.Conn) error {
	var pings sync.WaitGroup
	pings.Go(func() { c.ping(ws) })
	defer pings.Wait()
	defer c.stopDial() // ends the pings
	for {
		b, err := c.next(ws)
		if err != nil {
			return err
		}
		c.lastRead.Store(time.Now().UnixNano())
		if text := bytes.Trim(b, "\r\n"); len(text) == 0 {
			if len(b) >= 4 { // a keep-alive (RFC 5626 §4.4.1, RFC 7118 §6)
				_ = c.send([]byte("\r\n"))
			}
			continue
		}
		c.l.Receive(b, Flow{Transport: c.transport, Local: c.local(), Remote: c.remote, conn: c})
	}
}

// next is the next message, one of SIP each (RFC 7118 §5). A stranger has no
// longer for it than by TCP.
func (c *conn) next(ws *websocket.Conn) ([]byte, error) {
	ctx := c.dialing
	if !c.admitted.Load() {
		limited, cancel := context.WithTimeout(ctx, strangerTime*c.l.cfg.T1)
		defer cancel()
		ctx = limited
	}
	_, b, err := ws.Read(ctx)
	return b, err
}

// ping finds out whether the browser is still there, and keeps what lies between
// from forgetting the connection (RFC 7118 §6).
func (c *conn) ping(ws *websocket.Conn) {
	t := time.NewTicker(webPing * c.l.cfg.T1)
	defer t.Stop()
	for {
		select {
		case <-c.dialing.Done():
			return
		case <-t.C:
		}
		flow := Flow{Transport: c.transport, Local: c.local(), Remote: c.remote, conn: c}
		if c.silentSince(time.Now().Add(-webQuiet*c.l.cfg.T1)) && !c.l.handler.InUse(flow) {
			c.close(errIdle)
			return
		}
		ctx, cancel := context.WithTimeout(c.dialing, webPong*c.l.cfg.T1)
		err := ws.Ping(ctx)
		cancel()
		if err != nil {
			c.close(errNoPong)
			return
		}
	}
}

// webPipe is a websocket as the writer of a connection sees it: each Write is
// one message. Reading goes by readWeb, which sees the messages' bounds.
type webPipe struct {
	ws       *websocket.Conn
	here     *net.TCPAddr
	deadline time.Time // the writer's own
}

var _ pipe = (*webPipe)(nil)

// Write sends b as text, or as bytes where it is none.
func (p *webPipe) Write(b []byte) (int, error) {
	ctx, cancel := context.WithDeadline(context.Background(), p.deadline)
	defer cancel()
	kind := websocket.MessageText
	if !utf8.Valid(b) {
		kind = websocket.MessageBinary
	}
	if err := p.ws.Write(ctx, kind, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (p *webPipe) Close() error                       { return p.ws.CloseNow() }
func (p *webPipe) LocalAddr() net.Addr                { return p.here }
func (p *webPipe) SetWriteDeadline(t time.Time) error { p.deadline = t; return nil }

// portOn is our port for Via and Contact: a browser's connection came to that of
// the web server, every other to a listener of ours.
func (l *Layer) portOn(flow Flow, transport string, local netip.Addr) uint16 {
	if Web(transport) && flow.Local.Port() != 0 {
		return flow.Local.Port()
	}
	return l.portFor(transport, local)
}
