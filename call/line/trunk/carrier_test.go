package trunk_test

import (
	"net/netip"
	"strings"
	"testing"

	"callbox/call"
	"callbox/call/line/sipleg/siptest"
	"callbox/call/line/trunk"
)

// TestCarrier: what carriers want besides: another gateway, a diversion, parameters
// of the request URI, the realm of the account.
func TestCarrier(t *testing.T) {
	t.Parallel()
	stack, ports := newBox(t)
	a := siptest.NewEndpoint(t, siptest.Config{Host: "127.0.0.11", Box: stack.Addr("udp")})
	host := a.Addr().String()
	line, err := trunk.New(trunk.Config{ID: "provider", Host: "127.0.0.12", Diversion: "+15550177", Realm: "biloxi.example", AllowOnly: true, Transport: "tcp"}, stack, ports, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := serve(t, line)
	di := asked(t, line, a, call.Dial{To: "sip:+15550100@" + host + ";transport=udp", From: "+15550123"})
	if !strings.HasPrefix(di.RequestURI, "sip:+15550100@"+host) || di.Transport != "udp" {
		t.Errorf("called %s over %s", di.RequestURI, di.Transport)
	}
	if got := header(di, "Diversion"); got != "<sip:+15550177@biloxi.example>;reason=unconditional" {
		t.Errorf("diversion %q", got)
	}
	di = asked(t, line, a, call.Dial{To: "sip:+15550100@" + host + ";transport=udp", From: "+15550123", SIP: call.SIP{URIParams: "opaque=app:voicemail"}})
	if !strings.HasSuffix(di.RequestURI, ";opaque=app:voicemail") {
		t.Errorf("called %s", di.RequestURI)
	}
	// No calls come from a carrier that has no gateway for them.
	if err := a.Call(bounded(t), number); err != nil {
		t.Fatal(err)
	}
	if c, err := a.WaitEnd(bounded(t)); err != nil || c.SIP != 408 || len(in) != 0 {
		t.Errorf("the caller was told %+v, %v", c, err)
	}
}

// TestAllowHosts: calls come from a network and from hosts by name, not only from
// where they go to.
func TestAllowHosts(t *testing.T) {
	t.Parallel()
	stack, ports := newBox(t)
	a := siptest.NewEndpoint(t, siptest.Config{Host: "127.0.0.13", Box: stack.Addr("udp"), User: "+15550142"})
	line, err := trunk.New(trunk.Config{ID: "provider", Host: "127.0.0.14", AllowHosts: []string{a.Addr().String()},
		Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, stack, ports, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := serve(t, line)
	if err := a.Call(bounded(t), number); err != nil {
		t.Fatal(err)
	}
	select {
	case leg := <-in:
		leg.Hangup(call.NormalClearing(call.Box))
		until(t, leg, call.LegEnded)
	case <-bounded(t).Done():
		t.Fatal("the call did not arrive")
	}
}
