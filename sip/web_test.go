package sip

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coder/websocket"
	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/wire"
)

// serveWeb makes a web server of a stack.
func serveWeb(t testing.TB, s *Stack) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(s.Upgrade))
	t.Cleanup(srv.Close)
	return srv
}

// openBrowser is newRaw over a websocket.
func openBrowser(t testing.TB, s *Stack, srv *httptest.Server) *raw {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, srv.URL, &websocket.DialOptions{HTTPClient: srv.Client(), Subprotocols: []string{"sip"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.CloseNow() })
	return &raw{t: t, web: ws, to: s, seen: map[string]bool{}}
}

// TestBrowserPhone: a browser registers, is called over its own connection only,
// comes back with another one in a call, and is forgotten when that is lost.
func TestBrowserPhone(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	_, changes := userPeer(t, s)
	srv := serveWeb(t, s)
	r := openBrowser(t, s, srv)
	res := register(t, r, "browser", 200)
	if got := headerValue(res, "Contact"); got != "<sip:201@df7jal23ls0d.invalid;transport=ws>;expires=3600" {
		t.Errorf("contact %s", got)
	}
	b := (<-changes)[0]
	if !b.Web() || b.Transport != wire.WS {
		t.Errorf("binding %+v", b)
	}
	out, err := s.Invite(t.Context(), Invite{Binding: &b, From: "00", SDP: []byte(sdpA)})
	if err != nil {
		t.Fatal(err)
	}
	inv := r.request(gosip.INVITE)
	if inv.Recipient.String() != "sip:201@df7jal23ls0d.invalid;transport=ws" || headerValue(inv, "Contact") != "<sip:00@"+srv.Listener.Addr().String()+";transport=ws>" {
		t.Errorf("invited\n%s", inv)
	}
	r.answer(inv, 200, "there", "", sdpB)
	expect(t, out, Answered)
	r.request(gosip.ACK)
	if !out.Connected() {
		t.Error("the dialog has no connection")
	}
	_ = r.web.CloseNow()
	if left := <-changes; len(left) != 0 {
		t.Errorf("bindings of a browser that has gone: %+v", left)
	}
	if out.Connected() {
		t.Error("the dialog has a connection that was lost")
	}
	again := openBrowser(t, s, srv)
	register(t, again, "again", 200)
	<-changes
	if !out.Connected() {
		t.Error("the dialog does not find the browser that came back")
	}
	out.Hangup(Reason{Q850: 16})
	again.answer(again.request(gosip.BYE), 200, "there", "", "")
	expectEnd(t, out)
	// A call to a browser that has gone is refused at once.
	if _, err := s.Invite(t.Context(), Invite{Binding: &b, From: "00", SDP: []byte(sdpA)}); err == nil {
		t.Error("a browser that has gone was called")
	}
}

// TestBrowserLeavesWhileItRings: a caller that has gone hears no answer.
func TestBrowserLeavesWhileItRings(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	in, _ := userPeer(t, s)
	r := openBrowser(t, s, serveWeb(t, s))
	r.send(r.invite("201", "call"))
	if res := r.response(401); res != nil {
		uri := "sip:201@" + s.Addr("udp").String()
		r.send(r.invite("201", "call", authorization(t, challenge(t, res, "MD5"), "INVITE", uri, userPass, 1)))
	}
	d := in.take(t)
	if err := d.Ring(180, nil); err != nil {
		t.Fatal(err)
	}
	r.response(180)
	_ = r.web.CloseNow()
	if ev := expectEnd(t, d); ev.By != ByNetwork || ev.Status != 487 {
		t.Errorf("ended %+v", ev)
	}
	drained(t, s)
}
