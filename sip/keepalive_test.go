package sip

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestKeepAlive sees a far end go and come back.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	r := newRaw(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	states, done := make(chan PeerState, 16), make(chan error, 1)
	go func() {
		done <- s.KeepAlive(ctx, KeepAliveConfig{Target: "sip:" + r.addr(), OnState: func(st PeerState) { states <- st }})
	}()
	next := func(up bool, text string) {
		t.Helper()
		select {
		case st := <-states:
			if st.Up != up || !strings.Contains(st.Text, text) {
				t.Errorf("state %+v, want %v, %q", st, up, text)
			}
		case <-time.After(patience):
			t.Fatal("no state")
		}
	}
	req := r.request("OPTIONS")
	if req.Recipient.String() != "sip:"+r.addr() || headerValue(req, "Accept") != sdpType {
		t.Errorf("OPTIONS:\n%s", req)
	}
	next(false, "no answer from "+r.addr())
	for _, tc := range []struct {
		status int
		up     bool
		text   string
	}{{404, true, r.addr() + " answers"}, {503, false, "answers 503"}, {200, true, "answers"}, {401, true, ""}, {408, false, "408"}} {
		r.answer(r.request("OPTIONS"), tc.status, "t", "", "")
		if tc.status == 401 {
			continue // no change, so nothing is told
		}
		next(tc.up, tc.text)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, cfg := range []KeepAliveConfig{{}, {Target: "sip:x", Route: "a b"}} {
		if s.KeepAlive(t.Context(), cfg) == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}

// TestExchange takes the calls of a telephone system that registers, whoever its
// callers are, and of a trunk that has an address, with proof only.
func TestExchange(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]Peer{
		"registered": {Name: "pbx", Username: "201", Password: userPass, Register: true, Exchange: true},
		"address":    {Name: "pbx", Username: "201", Password: userPass, Addrs: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startStack(t)
			in := newInbox()
			p.Invite = func(d *Dialog) { in.ch <- d }
			remove, err := s.AddPeer(p)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(remove)
			r := newRaw(t, s)
			if p.Register {
				r.send(r.invite("+15550177", "stranger"))
				r.silent()
				r.send(r.text("REGISTER", "201", "reg"))
				c := challenge(t, r.response(401), "MD5")
				r.send(r.text("REGISTER", "201", "reg", authorization(t, c, "REGISTER", "sip:201@127.0.0.1", userPass, 1)))
				r.response(200)
			}
			r.send(r.invite("+15550177", "one")) // From is the caller's number
			c := challenge(t, r.response(401), "MD5")
			r.send(r.invite("+15550177", "one", authorization(t, c, "INVITE", "sip:+15550177@127.0.0.1", "wrong-one", 1)))
			c = challenge(t, r.responseTo(401, r.seq), "MD5")
			r.send(r.invite("+15550177", "one", authorization(t, c, "INVITE", "sip:+15550177@127.0.0.1", userPass, 1)))
			d := in.take(t)
			if di := d.Info(); di.From != "+15550177" || di.Peer != "pbx" {
				t.Errorf("arrived %+v", di)
			}
			d.Reject(486, Reason{})
			expectEnd(t, d)
		})
	}
}
