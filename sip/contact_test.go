package sip

import (
	"context"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// TestContactHost: an INVITE, and what asks for a sign of life, show the name that
// they are to show.
func TestContactHost(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	r := newRaw(t, s)
	d, err := s.Invite(t.Context(), Invite{Target: "sip:bob@" + r.addr(), From: "+15550100", FromHost: "sbc.biloxi.example", ContactHost: "sbc.biloxi.example"})
	if err != nil {
		t.Fatal(err)
	}
	req := r.request(gosip.INVITE)
	if c := req.Contact().Address; c.Host != "sbc.biloxi.example" || c.User != "+15550100" || !strings.HasSuffix(req.From().Address.String(), "@sbc.biloxi.example") {
		t.Errorf("contact %s, from %s", c.String(), req.From().Address.String())
	}
	r.answer(req, 486, "x", "", "")
	expectEnd(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- s.KeepAlive(ctx, KeepAliveConfig{Target: "sip:" + r.addr(), Host: "sbc.biloxi.example", Every: time.Minute})
	}()
	req = r.request(gosip.OPTIONS)
	contact := req.Contact().Address
	if req.From().Address.String() != "sip:sbc.biloxi.example" || contact.Host != "sbc.biloxi.example" || contact.User != "" || contact.Port != int(s.Addr("udp").Port()) {
		t.Errorf("from %s, contact %s", req.From().Address.String(), contact.String())
	}
	r.answer(req, 200, "x", "", "")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
