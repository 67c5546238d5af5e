package wire

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/emiago/sipgo/sip"
)

// browser is a bare websocket peer of a layer.
type browser struct {
	t  testing.TB
	ws *websocket.Conn
}

// serveWeb makes a web server of a layer.
func serveWeb(t testing.TB, l *Layer) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(l.Upgrade))
	t.Cleanup(srv.Close)
	return srv
}

// openBrowser connects to a web server.
func openBrowser(t testing.TB, srv *httptest.Server) *browser {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, srv.URL, &websocket.DialOptions{
		HTTPClient: srv.Client(), Subprotocols: []string{"chat", "sip"}, HTTPHeader: http.Header{"Origin": {"https://phones.atlanta.example"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if ws.Subprotocol() != "sip" {
		t.Errorf("the subprotocol is %q", ws.Subprotocol())
	}
	t.Cleanup(func() { _ = ws.CloseNow() })
	return &browser{t, ws}
}

func (b *browser) send(kind websocket.MessageType, text string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	if err := b.ws.Write(ctx, kind, []byte(text)); err != nil {
		b.t.Fatal(err)
	}
}

// take is the next message.
func (b *browser) take() string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	_, text, err := b.ws.Read(ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// ended waits for the end of the connection.
func (b *browser) ended() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	for {
		if _, _, err := b.ws.Read(ctx); err != nil {
			if ctx.Err() != nil {
				b.t.Error("the connection was not ended")
			}
			return
		}
	}
}

// webMessage is message as a browser writes it.
func webMessage(method, branch string) string {
	return strings.NewReplacer("SIP/2.0/UDP 192.0.2.1:5060", "SIP/2.0/WS df7jal23ls0d.invalid", "<sip:alice@192.0.2.1>", "<sip:alice@df7jal23ls0d.invalid;transport=ws>").
		Replace(message(method, branch))
}

func TestBrowser(t *testing.T) {
	t.Parallel()
	h := newHandler(status(200))
	l := startLayer(t, h)
	srv := serveWeb(t, l)
	b := openBrowser(t, srv)
	var flow Flow
	for kind, branch := range map[websocket.MessageType]string{websocket.MessageText: "z9hG4bKtext", websocket.MessageBinary: "z9hG4bKbytes"} {
		b.send(kind, webMessage("OPTIONS", branch))
		if got := b.take(); !strings.HasPrefix(got, "SIP/2.0 200 Phrase\r\nVia: SIP/2.0/WS df7jal23ls0d.invalid;branch="+branch+";received=127.0.0.1\r\n") {
			t.Errorf("answered\n%s", got)
		}
		flow = h.take(t).flow
	}
	b.send(websocket.MessageText, "\r\n\r\n")
	if got := b.take(); got != "\r\n" {
		t.Errorf("a keep-alive was answered %q", got)
	}
	if flow.Transport != WS || !flow.Alive() || !Web(flow.Transport) || flow.Local.String() != srv.Listener.Addr().String() {
		t.Errorf("flow %+v", flow)
	}
	// The same connection takes requests to the browser, and there is no other way.
	ch, on := collect()
	if _, err := l.Send(request(sip.OPTIONS, "df7jal23ls0d.invalid"), Dest{Flow: flow}, on); err != nil {
		t.Fatal(err)
	}
	got := b.take()
	if !strings.Contains(got, "Via: SIP/2.0/WS "+srv.Listener.Addr().String()+";branch=") {
		t.Errorf("the browser was asked\n%s", got)
	}
	b.send(websocket.MessageText, strings.Replace(got[:strings.Index(got, "\r\nCall-ID")]+got[strings.Index(got, "\r\nCall-ID"):],
		strings.SplitN(got, "\r\n", 2)[0], "SIP/2.0 200 OK", 1))
	if o := takeOutcome(t, ch); o.err != nil || o.res.StatusCode != 200 {
		t.Errorf("the browser answered %+v", o)
	}
	_ = b.ws.CloseNow()
	select {
	case lost := <-h.lost:
		if !lost.Same(flow) || lost.Alive() {
			t.Errorf("lost %+v", lost)
		}
	case <-time.After(patience):
		t.Fatal("nobody was told that the connection has ended")
	}
	if _, err := l.Send(request(sip.OPTIONS, "df7jal23ls0d.invalid"), Dest{Flow: flow}, on); err == nil {
		t.Error("a request went to a browser that has gone")
	}
}

// TestBrowserLimits: who does not speak SIP, or nothing, or too much, is let go.
func TestBrowserLimits(t *testing.T) {
	t.Parallel()
	h := newHandler(status(200))
	l := startLayer(t, h)
	srv := serveWeb(t, l)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, res, err := websocket.Dial(ctx, srv.URL, &websocket.DialOptions{HTTPClient: srv.Client(), Subprotocols: []string{"mqtt"}})
	if err == nil || res == nil || res.StatusCode != http.StatusBadRequest {
		t.Errorf("another subprotocol: %v, %v", res, err)
	}
	openBrowser(t, srv).ended() // says nothing
	big := openBrowser(t, srv)
	big.send(websocket.MessageText, webMessage("OPTIONS", "z9hG4bKfirst")+strings.Repeat("x", maxMessage))
	big.ended()
	if n := l.Counters().Received; n != 0 {
		t.Errorf("%d messages were looked at", n)
	}
	h.known = false
	bad := openBrowser(t, srv)
	bad.send(websocket.MessageText, "GET / HTTP/1.1\r\n\r\n")
	bad.ended()
	eventually(t, "connections are forgotten", func() bool { return l.Counters().Conns == 0 })
}

// TestManyBrowsers: one more than there may be is let go, and then another may come.
func TestManyBrowsers(t *testing.T) {
	t.Parallel()
	l := startLayer(t, newHandler(status(200)), func(c *Config) { c.T1 = time.Minute })
	srv := serveWeb(t, l)
	first := openBrowser(t, srv)
	for range maxWebConns - 1 {
		openBrowser(t, srv)
	}
	// A browser has its answer before its place is counted.
	eventually(t, "all places are taken", func() bool { return l.Counters().Conns == maxWebConns })
	openBrowser(t, srv).ended()
	if c := l.Counters(); c.Conns != maxWebConns || c.ConnsRefused != 1 {
		t.Errorf("%+v", c)
	}
	_ = first.ws.CloseNow()
	eventually(t, "a place is free", func() bool { return l.Counters().Conns == maxWebConns-1 })
	b := openBrowser(t, srv)
	b.send(websocket.MessageText, webMessage("OPTIONS", "z9hG4bKlast"))
	b.take()
}

// TestBrowserIdle: a browser that does not answer pings is gone; one that nobody
// needs is let go.
func TestBrowserIdle(t *testing.T) {
	t.Parallel()
	h := newHandler(status(200))
	l := startLayer(t, h, func(c *Config) { c.T1 = time.Millisecond })
	srv := serveWeb(t, l)
	dead := openBrowser(t, srv)
	dead.send(websocket.MessageText, webMessage("OPTIONS", "z9hG4bKdead"))
	h.take(t)
	select { // it reads nothing, so it answers no ping
	case <-h.lost:
	case <-time.After(patience):
		t.Fatal("a dead browser was kept")
	}
	h.known = false
	idle := openBrowser(t, srv)
	idle.send(websocket.MessageText, webMessage("OPTIONS", "z9hG4bKidle"))
	idle.ended() // though it answers pings
}
