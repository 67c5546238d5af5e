package trunk_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/call"
	"callbox/call/line/sipleg/siptest"
	"callbox/call/line/trunk"
	"callbox/sip"
)

const patience = 10 * time.Second

type incoming chan call.Leg

func (c incoming) Incoming(leg call.Leg) { c <- leg }

// serve runs a line until the test ends and gives what arrives.
func serve(t *testing.T, line call.Line) incoming {
	t.Helper()
	in := make(incoming, 4)
	serveInto(t, line, in)
	ready(t, line, true)
	return in
}

// serveInto serves a line until the end of the test.
func serveInto(t *testing.T, line call.Line, in incoming) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- line.Serve(ctx, in) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func ready(t *testing.T, line call.Line, want bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		st := line.(call.Reporter).Status()
		if st.Ready == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("status %+v, want ready %v", st, want)
		}
	}
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// until waits for an event of a leg.
func until(t *testing.T, leg call.Leg, typ call.LegEventType) call.LegEvent {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case e, ok := <-leg.Events():
			if !ok {
				t.Fatalf("the leg ended before %v", typ)
			}
			if e.Type == typ {
				return *e
			}
			if e.Type == call.LegEnded {
				t.Fatalf("the leg ended with %+v before %v", e.Cause, typ)
			}
		case <-timeout.C:
			t.Fatalf("no %v within %v", typ, patience)
		}
	}
}

// asked has a line dial d, the far end ring, and gives the INVITE that arrived.
func asked(t *testing.T, line call.Line, a *siptest.Endpoint, d call.Dial) sip.DialogInfo {
	t.Helper()
	before := len(a.Invites())
	leg, err := line.Dial(bounded(t), d)
	if err != nil {
		t.Fatal(err)
	}
	until(t, leg, call.LegRinging)
	leg.Hangup(call.NormalClearing(call.Box))
	until(t, leg, call.LegEnded)
	if _, err := a.WaitEnd(bounded(t)); err != nil {
		t.Fatal(err)
	}
	got := a.Invites()
	if len(got) != before+1 {
		t.Fatalf("%d INVITEs arrived, want one", len(got)-before)
	}
	return got[before]
}

func header(di sip.DialogInfo, name string) string {
	for _, h := range di.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// TestIdentity: who is shown as the caller, and where.
func TestIdentity(t *testing.T) {
	t.Parallel()
	stack, ports := newBox(t)
	a := siptest.NewEndpoint(t, siptest.Config{Host: providerHost, Box: stack.Addr("udp")})
	host := a.Addr().String()
	for _, tt := range []struct {
		name               string
		cfg                trunk.Config
		d                  call.Dial
		from, uri, asserts string
	}{
		{"plain", trunk.Config{}, call.Dial{To: "5550100", From: "+15550123", FromName: "Alice"},
			"+15550123", "sip:+15550123@127.0.0.1", ""},
		{"anonymous", trunk.Config{Identity: trunk.Identity{Send: []trunk.Header{trunk.Asserted}}}, call.Dial{To: "5550100"}, "anonymous", "sip:anonymous@127.0.0.1", ""},
		{"asserted", trunk.Config{Identity: trunk.Identity{Send: []trunk.Header{trunk.Asserted}}, FromHost: "atlanta.example"}, call.Dial{To: "5550100", From: "+15550123"},
			"+15550123", "sip:+15550123@atlanta.example", "<sip:+15550123@atlanta.example>"},
		{"account in From", trunk.Config{FromUser: "branch"}, call.Dial{To: "5550100", From: "sip:alice@atlanta.example"},
			"branch", "sip:branch@127.0.0.1", "<sip:alice@" + providerHost + ">"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.ID, tt.cfg.Host = "provider", host
			line, err := trunk.New(tt.cfg, stack, ports, nil)
			if err != nil {
				t.Fatal(err)
			}
			serve(t, line)
			di := asked(t, line, a, tt.d)
			if di.From != tt.from || di.FromURI != tt.uri || di.FromName != tt.d.FromName || header(di, "P-Asserted-Identity") != tt.asserts {
				t.Errorf("shown %q %q %q, asserted %q", di.FromName, di.From, di.FromURI, header(di, "P-Asserted-Identity"))
			}
			if !strings.HasPrefix(di.RequestURI, "sip:5550100@"+host) {
				t.Errorf("called %s", di.RequestURI)
			}
		})
	}
}

// TestHeadersAndNumbers: what a call may add, and numbers that are no plain digits.
func TestHeadersAndNumbers(t *testing.T) {
	t.Parallel()
	stack, ports := newBox(t)
	a := siptest.NewEndpoint(t, siptest.Config{Host: "127.0.0.4", Box: stack.Addr("udp")})
	line, err := trunk.New(trunk.Config{ID: "provider", Host: "no-such-name.invalid", Proxy: "sip:" + a.Addr().String() + ";lr", Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.4/32")}}, stack, ports, nil)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, line)
	di := asked(t, line, a, call.Dial{To: "*72#", Headers: []call.Header{{Name: "X-Order", Value: "17"}}, Reason: "delivery"})
	if !strings.HasPrefix(di.RequestURI, "sip:*72%23@no-such-name.invalid") || header(di, "X-Order") != "17" || header(di, "Subject") != "delivery" {
		t.Errorf("called %s with %v", di.RequestURI, di.Headers)
	}
	di = asked(t, line, a, call.Dial{To: "sip:bob@biloxi.example", From: "alice", SIP: call.SIP{
		Proxy: "sip:" + a.Addr().String(), FromHost: "atlanta.example", ToURI: "sip:robert@chicago.example"}})
	if di.RequestURI != "sip:bob@biloxi.example" || di.FromURI != "sip:alice@atlanta.example" || di.ToURI != "sip:robert@chicago.example" {
		t.Errorf("called %s from %s, To %s", di.RequestURI, di.FromURI, di.ToURI)
	}
	for _, d := range []call.Dial{
		{To: ""}, {To: "1", Headers: []call.Header{{Name: "X", Value: "a\nb"}}}, {To: "1", SIP: call.SIP{Proxy: "sip:no-such-name.invalid"}},
		{To: "1", Headers: []call.Header{{Name: "Via", Value: "x"}}},
	} {
		_, err := line.Dial(bounded(t), d)
		var c call.Cause
		if !errors.As(err, &c) || c.Text == "" {
			t.Errorf("%+v: %v", d, err)
		}
	}
}

// TestArrivingInfo: numbers as the provider means them.
func TestArrivingInfo(t *testing.T) {
	t.Parallel()
	stack, ports := newBox(t)
	a := siptest.NewEndpoint(t, siptest.Config{Host: "127.0.0.5", Box: stack.Addr("udp"), User: "anonymous"})
	line, err := trunk.New(trunk.Config{ID: "provider", Host: a.Addr().String(), Username: "branch"}, stack, ports, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := serve(t, line)
	for _, tt := range []struct {
		inv  sip.Invite
		want call.LegInfo
	}{
		{sip.Invite{From: "+15550142", FromName: "Bob"}, call.LegInfo{From: "+15550142", FromName: "Bob", To: "+15550199"}},
		{sip.Invite{From: "anonymous", Headers: []sip.Header{{Name: "P-Asserted-Identity", Value: `"Bob" <sip:+15550142@biloxi.example>`}, {Name: "Diversion", Value: "<tel:+1-555-0177>;reason=no-answer"}}},
			call.LegInfo{From: "+15550142", To: "+15550199", Forwarded: "+15550177"}},
		{sip.Invite{From: "+15550142", Target: "sip:branch@" + stack.Addr("udp").String(), To: "sip:+15550188@biloxi.example"},
			call.LegInfo{From: "+15550142", To: "+15550188"}},
	} {
		if tt.inv.Target == "" {
			tt.inv.Target = "sip:+15550199@" + stack.Addr("udp").String()
		}
		d, err := a.Stack.Invite(bounded(t), tt.inv)
		if err != nil {
			t.Fatal(err)
		}
		var leg call.Leg
		select {
		case leg = <-in:
		case <-bounded(t).Done():
			t.Fatal("the call did not arrive")
		}
		got := leg.Info()
		if got.From != tt.want.From || got.FromName != tt.want.FromName || got.To != tt.want.To || got.Forwarded != tt.want.Forwarded || !got.Inbound || got.Kind != call.Trunk {
			t.Errorf("got %+v, want %+v", got, tt.want)
		}
		leg.Hangup(call.Cause{Q850: call.Q850Rejected, Who: call.Script})
		until(t, leg, call.LegEnded)
		for range d.Events() { //nolint:revive // until it has ended
		}
	}
}

// TestStranger: a caller who is not the trunk gets no leg and no answer.
func TestStranger(t *testing.T) {
	t.Parallel()
	stack, ports := newBox(t)
	a := siptest.NewEndpoint(t, siptest.Config{Host: "127.0.0.6", Box: stack.Addr("udp")})
	line, err := trunk.New(trunk.Config{ID: "provider", Host: "127.0.0.7"}, stack, ports, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := serve(t, line)
	if err := a.Call(bounded(t), number); err != nil {
		t.Fatal(err)
	}
	c, err := a.WaitEnd(bounded(t))
	if err != nil || c.SIP != 408 {
		t.Errorf("the stranger was told %+v, %v; want nothing at all", c, err)
	}
	if len(in) != 0 {
		t.Error("the stranger's call arrived")
	}
}

// TestAllow: calls come from the addresses allowed and from the host itself.
func TestAllow(t *testing.T) {
	t.Parallel()
	stack, ports := newBox(t)
	host := siptest.NewEndpoint(t, siptest.Config{Host: "127.0.0.12", Box: stack.Addr("udp")})
	media := siptest.NewEndpoint(t, siptest.Config{Host: "127.0.0.13", Box: stack.Addr("udp")})
	line, err := trunk.New(trunk.Config{ID: "provider", Host: host.Addr().String(), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.13/32")}}, stack, ports, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := serve(t, line)
	for name, far := range map[string]*siptest.Endpoint{"the host": host, "another address": media} {
		if err := far.Call(bounded(t), number); err != nil {
			t.Fatal(err)
		}
		select {
		case leg := <-in:
			leg.Hangup(call.Cause{Q850: call.Q850Normal, SIP: 486})
		case <-bounded(t).Done():
			t.Errorf("a call from %s was not taken", name)
		}
	}
}

// TestWrongPassword: the provider's challenge cannot be met.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	stack, ports := newBox(t)
	a := siptest.NewEndpoint(t, siptest.Config{
		Host: "127.0.0.8", Box: stack.Addr("udp"), Account: &sip.Credentials{Username: "branch", Password: "open sesame"},
	})
	line, err := trunk.New(trunk.Config{ID: "provider", Host: a.Addr().String(), Username: "branch", Password: "wrong", FromUser: "branch"}, stack, ports, nil)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, line)
	leg, err := line.Dial(bounded(t), call.Dial{To: "5550100", From: "+15550123"})
	if err != nil {
		t.Fatal(err)
	}
	c := until(t, leg, call.LegEnded).Cause
	if (c.SIP != 401 && c.SIP != 407 && c.SIP != 403) || c.Outcome() != call.Failed || !strings.HasPrefix(c.Text, "trunk provider ") {
		t.Errorf("cause %+v", c)
	}
}

// TestRegistrationStatus: refused, then accepted, in words.
func TestRegistrationStatus(t *testing.T) {
	t.Parallel()
	stack, ports := newBox(t)
	a := siptest.NewEndpoint(t, siptest.Config{
		Host: "127.0.0.9", Box: stack.Addr("udp"), Account: &sip.Credentials{Username: "branch", Password: "open sesame"},
	})
	for _, tt := range []struct {
		password string
		ready    bool
	}{{"wrong", false}, {"open sesame", true}} {
		line, err := trunk.New(trunk.Config{
			ID: "provider", Host: a.Addr().String(), Username: "branch", Password: tt.password, Register: true, Expires: time.Minute, Channels: 3,
		}, stack, ports, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- line.Serve(ctx, make(incoming, 1)) }()
		tick := time.NewTicker(10 * time.Millisecond)
		for st := line.Status(); st.Text == "registering" || st.Text == "not running" || st.Ready != tt.ready; st = line.Status() {
			select {
			case <-tick.C:
			case <-bounded(t).Done():
				t.Fatalf("status %+v, want ready %v", st, tt.ready)
			}
		}
		tick.Stop()
		if st := line.Status(); st.Max != 3 || st.Since.IsZero() || st.Text == "" {
			t.Errorf("status %+v", st)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if st := line.Status(); st.Ready || st.Text != "not running" {
			t.Errorf("after Serve: %+v", st)
		}
	}
	if b := a.Stack.Bindings("branch"); len(b) != 0 {
		t.Errorf("the registration was left behind: %v", b)
	}
}

// TestURILine: any SIP address, with the call's own credentials.
func TestURILine(t *testing.T) {
	t.Parallel()
	stack, ports := newBox(t)
	a := siptest.NewEndpoint(t, siptest.Config{
		Host: "127.0.0.10", Box: stack.Addr("udp"), Account: &sip.Credentials{Username: "+15550123", Password: "open sesame"},
	})
	line := trunk.NewURILine(trunk.URIConfig{Channels: 1}, stack, ports, nil)
	if _, err := line.Dial(bounded(t), call.Dial{To: "sip:bob@" + a.Addr().String()}); call.CauseOf(err).Q850 != call.Q850OutOfOrder {
		t.Errorf("before Serve: %v", err)
	}
	serve(t, line)
	auth := &call.Credentials{Username: "+15550123", Password: "open sesame"}
	di := asked(t, line, a, call.Dial{To: "sip:bob@" + a.Addr().String(), From: "+15550123", Auth: auth})
	if di.To != "bob" {
		t.Errorf("called %+v", di)
	}
	di = asked(t, line, a, call.Dial{To: "sip:bob@biloxi.example", From: "+15550123", Auth: auth, SIP: call.SIP{
		Proxy: "sip:" + a.Stack.Addr("tcp").String() + ";transport=tcp", FromHost: "atlanta.example", ToURI: "sip:robert@chicago.example"}})
	if di.RequestURI != "sip:bob@biloxi.example" || di.Transport != "tcp" || di.FromURI != "sip:+15550123@atlanta.example" || di.ToURI != "sip:robert@chicago.example" {
		t.Errorf("through a proxy: %s over %s", di.RequestURI, di.Transport)
	}
	for _, to := range []string{"", "5550100", "sip:", "tel:+15550100", "sip:bob@no-such-name.invalid", "http://biloxi.example"} {
		_, err := line.Dial(bounded(t), call.Dial{To: to})
		var c call.Cause
		if !errors.As(err, &c) || c.Text == "" {
			t.Errorf("%q: %v", to, err)
		}
		if strings.HasSuffix(to, ".invalid") && (c.Q850 != call.Q850NoRoute || c.SIP != 503) {
			t.Errorf("%q: Q.850 %d, SIP %d", to, c.Q850, c.SIP)
		}
	}
	leg, err := line.Dial(bounded(t), call.Dial{To: "sip:bob@" + a.Addr().String(), From: "+15550123", Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	until(t, leg, call.LegRinging)
	if st := line.Status(); st.Busy != 1 || st.Max != 1 {
		t.Errorf("status %+v", st)
	}
	if _, err := line.Dial(bounded(t), call.Dial{To: "sip:bob@" + a.Addr().String()}); call.CauseOf(err).Q850 != call.Q850NoCircuit {
		t.Errorf("a second call on one channel: %v", err)
	}
	leg.Hangup(call.NormalClearing(call.Box))
	until(t, leg, call.LegEnded)
	if _, err := a.WaitEnd(bounded(t)); err != nil {
		t.Fatal(err)
	}
	a.Refuse(486, sip.Reason{})
	to := "sip:bob@" + a.Addr().String()
	if leg, err = line.Dial(bounded(t), call.Dial{To: to, From: "+15550123", Auth: auth}); err != nil {
		t.Fatal(err)
	}
	if c := until(t, leg, call.LegEnded).Cause; c.Text != to+" is busy (SIP 486 Busy Here)" {
		t.Errorf("cause %+v", c)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := trunk.Config{ID: "provider", Host: "biloxi.example:5062", Proxy: "sip:proxy.biloxi.example;transport=tcp", Transport: "tcp", Username: "branch", Register: true}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for _, change := range []func(*trunk.Config){
		func(c *trunk.Config) { c.ID = "" },
		func(c *trunk.Config) { c.Host = "" },
		func(c *trunk.Config) { c.Host = "sip:x@y" },
		func(c *trunk.Config) { c.Host = "x;lr" },
		func(c *trunk.Config) { c.Proxy = "proxy" },
		func(c *trunk.Config) { c.Username = "" },
		func(c *trunk.Config) { c.Transport = "sctp" },
		func(c *trunk.Config) { c.Channels = -1 },
		func(c *trunk.Config) { c.In = -1 },
		func(c *trunk.Config) { c.Identity.Send = []trunk.Header{"x"} },
		func(c *trunk.Config) { c.Identity.Form = "x" },
		func(c *trunk.Config) { c.Identity.Anonymous = "x" },
		func(c *trunk.Config) { c.KeepAlive = time.Second },
		func(c *trunk.Config) { c.InUsername = "pbx" },
		func(c *trunk.Config) { c.InPassword = "open sesame" },
		func(c *trunk.Config) { c.Host, c.InUsername, c.InPassword = "", "pbx", "open sesame" },
	} {
		bad := good
		change(&bad)
		if _, err := trunk.New(bad, nil, nil, nil); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

// TestOrder: the caller's codecs come before the line's.
func TestOrder(t *testing.T) {
	t.Parallel()
	stack, ports := newBox(t)
	a := siptest.NewEndpoint(t, siptest.Config{Host: "127.0.0.11", Box: stack.Addr("udp")})
	line, err := trunk.New(trunk.Config{ID: "provider", Host: a.Addr().String(), Codecs: []string{"PCMA", "PCMU"}}, stack, ports, nil)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, line)
	for _, tt := range []struct {
		codecs []string
		want   string
	}{{nil, "RTP/AVP 8 0 101"}, {[]string{"PCMU"}, "RTP/AVP 0 8 101"}} {
		di := asked(t, line, a, call.Dial{To: "1", Codecs: tt.codecs})
		if !slices.ContainsFunc(strings.Split(string(di.Offer), "\r\n"), func(l string) bool { return strings.HasSuffix(l, tt.want) }) {
			t.Errorf("codecs %v: offered\n%s", tt.codecs, di.Offer)
		}
	}
}
