package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/locate"
)

// withServers lets a stack find n servers of biloxi.example at 127.0.1.1 and up.
func withServers(t testing.TB, n int) func(*Config) {
	t.Helper()
	hosts := filepath.Join(t.TempDir(), "hosts")
	var names string
	for i := 1; i <= n; i++ {
		names += fmt.Sprintf("127.0.1.%d biloxi.example\n", i)
	}
	if err := os.WriteFile(hosts, []byte(names), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(c *Config) {
		c.Resolver = locate.New(locate.Config{Hosts: hosts, ResolvConf: filepath.Join(t.TempDir(), "none")})
	}
}

// newServers gives a stack and the servers of the domain biloxi.example, in their
// order, and the domain with their port.
func newServers(t testing.TB, n int, adjust ...func(*Config)) (s *Stack, rs []*raw, domain string) {
	t.Helper()
	s = startStack(t, append(adjust, withServers(t, n))...)
	for range 20 {
		rs = nil
		port := 0
		for i := range n {
			pc, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 1, byte(i+1)), Port: port})
			if err != nil {
				break
			}
			port = pc.LocalAddr().(*net.UDPAddr).Port
			rs = append(rs, &raw{t: t, pc: pc, to: s, seen: map[string]bool{}})
		}
		if len(rs) == n {
			t.Cleanup(func() {
				for _, r := range rs {
					_ = r.pc.Close()
				}
			})
			return s, rs, fmt.Sprintf("biloxi.example:%d", port)
		}
		for _, r := range rs {
			_ = r.pc.Close()
		}
	}
	t.Fatal("no port is free on every address")
	return nil, nil, ""
}

// TestInviteFailsOver leaves a silent server for the next, remembers it, and ends
// what it made of the call when it wakes up.
func TestInviteFailsOver(t *testing.T) {
	t.Parallel()
	s, rs, domain := newServers(t, 2)
	invite := func() *Dialog {
		t.Helper()
		d, err := s.Invite(t.Context(), Invite{Target: "sip:bob@" + domain, From: "alice", SDP: []byte(sdpA), Auth: &Credentials{"alice", "secret"}})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	began := time.Now()
	d := invite()
	first := rs[0].request("INVITE")
	second := rs[1].request("INVITE")
	if took := time.Since(began); took < giveUp*testT1 {
		t.Errorf("the second was asked after %v", took)
	}
	if second.CallID().Value() != first.CallID().Value() || headerValue(second, "Via") == headerValue(first, "Via") || len(second.GetHeaders("Via")) != 1 {
		t.Errorf("the second INVITE:\n%s", second)
	}
	rs[1].answer(second, 407, "t", "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\"\n", "")
	again := rs[1].request("INVITE")
	if headerValue(again, "Proxy-Authorization") == "" {
		t.Errorf("no answer to the challenge:\n%s", again)
	}
	rs[1].answer(again, 200, "t", "", sdpB)
	expect(t, d, Answered)
	rs[1].request("ACK")

	// The first wakes up: its branch of the call is ended, ours is not.
	rs[0].answer(first, 200, "late", "", sdpB)
	rs[0].request("ACK")
	bye := rs[0].request("BYE")
	if !strings.Contains(headerValue(bye, "To"), "tag=late") {
		t.Errorf("BYE:\n%s", bye)
	}
	rs[0].answer(bye, 200, "", "", "")
	d.Hangup(Reason{})
	rs[1].answer(rs[1].request("BYE"), 200, "", "", "")
	expectEnd(t, d)

	d = invite()
	inv := rs[1].request("INVITE") // at once
	rs[1].answer(inv, 486, "t", "", "")
	if ev := expectEnd(t, d); ev.Status != 486 {
		t.Errorf("end %+v", ev)
	}
}

// TestSleepingServer is cancelled when it wakes up with a provisional response.
func TestSleepingServer(t *testing.T) {
	t.Parallel()
	s, rs, domain := newServers(t, 2)
	d, err := s.Invite(t.Context(), Invite{Target: "sip:bob@" + domain, From: "alice", SDP: []byte(sdpA)})
	if err != nil {
		t.Fatal(err)
	}
	first := rs[0].request("INVITE")
	second := rs[1].request("INVITE")
	rs[0].answer(first, 180, "late", "", "")
	cancel := rs[0].request("CANCEL")
	if headerValue(cancel, "Via") != headerValue(first, "Via") {
		t.Errorf("CANCEL:\n%s", cancel)
	}
	rs[0].answer(cancel, 200, "", "", "")
	rs[0].answer(first, 487, "late", "", "")
	rs[0].request("ACK")
	rs[1].answer(second, 180, "t", "", "")
	expect(t, d, Ringing)
	rs[1].answer(second, 200, "t", "", sdpB)
	expect(t, d, Answered)
	d.Hangup(Reason{})
	rs[1].answer(rs[1].request("BYE"), 200, "", "", "")
	expectEnd(t, d)
}

// TestFailures says which of them another server may not have.
func TestFailures(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		extra  string
		next   bool
	}{"busy": {486, "", false}, "overload": {503, "Retry-After: 20 (soon);duration=3\n", true}, "error": {500, "", false}, "decline": {603, "", false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, rs, domain := newServers(t, 2)
			d, err := s.Invite(t.Context(), Invite{Target: "sip:bob@" + domain, From: "alice", SDP: []byte(sdpA)})
			if err != nil {
				t.Fatal(err)
			}
			rs[0].answer(rs[0].request("INVITE"), tc.status, "t", tc.extra, "")
			want := tc.status
			if tc.next {
				want = 480
				rs[1].answer(rs[1].request("INVITE"), want, "t", "", "")
			}
			if ev := expectEnd(t, d); ev.Status != want {
				t.Errorf("end %+v", ev)
			}
			_, addrs, err := s.Resolve(t.Context(), "sip:"+domain)
			if err != nil || len(addrs) != 2 || (addrs[0] == rs[0].pc.LocalAddr().(*net.UDPAddr).AddrPort()) == tc.next {
				t.Errorf("next would be %v, %v", addrs, err)
			}
		})
	}
	t.Run("nobody", func(t *testing.T) {
		t.Parallel()
		s, rs, domain := newServers(t, 3)
		d, err := s.Invite(t.Context(), Invite{Target: "sip:bob@" + domain, From: "alice", SDP: []byte(sdpA)})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rs {
			r.request("INVITE")
		}
		if ev := expectEnd(t, d); ev.Status != 408 || ev.By != ByNetwork {
			t.Errorf("end %+v", ev)
		}
	})
	t.Run("given up", func(t *testing.T) {
		t.Parallel()
		s, rs, domain := newServers(t, 2)
		d, err := s.Invite(t.Context(), Invite{Target: "sip:bob@" + domain, From: "alice", SDP: []byte(sdpA)})
		if err != nil {
			t.Fatal(err)
		}
		rs[0].request("INVITE")
		d.Hangup(Reason{})
		expectEnd(t, d)
		if m := rs[1].message(2 * giveUp * testT1); m != nil {
			t.Errorf("a call that was given up went on:\n%s", m)
		}
	})
}

// TestRegistrationFailsOver goes to the second registrar and comes back to the first.
func TestRegistrationFailsOver(t *testing.T) {
	t.Parallel()
	s, rs, domain := newServers(t, 2)
	states, leave := registering(t, s, RegistrationConfig{AOR: "sip:alice@" + domain, Auth: Credentials{"alice", "secret"}})
	defer leave()
	at := func(r *raw) {
		t.Helper()
		select {
		case st := <-states:
			if !st.Registered || st.Remote.String() != r.addr() {
				t.Errorf("state %+v, want at %s", st, r.addr())
			}
		case <-time.After(patience):
			t.Fatal("no state")
		}
	}
	rs[0].request("REGISTER")
	req := rs[1].request("REGISTER")
	rs[1].answer(req, 401, "t", "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\n", "")
	rs[1].answer(rs[1].request("REGISTER"), 200, "t", "Expires: 3600\n", "")
	at(rs[1])
	back := time.Now()
	rs[0].answer(rs[0].request("REGISTER"), 200, "t", "Expires: 3600\n", "")
	at(rs[0])
	if took := time.Since(back); took < avoid*testT1/2 {
		t.Errorf("back after %v", took)
	}
}

// TestRetryAfter leaves the registrar alone for as long as it wants.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	r := newRaw(t, s)
	states, leave := registering(t, s, r.aor())
	defer leave()
	r.answer(r.request("REGISTER"), 503, "t", "Retry-After: 77 (maintenance)\n", "")
	if st := <-states; time.Until(st.Retry) < 70*time.Second || time.Until(st.Retry) > 78*time.Second {
		t.Errorf("state %+v", st)
	}
}

// TestFailsOverInTime asks the second of two servers within 4 s, on the usual timers,
// whatever it is that the first does not answer.
func TestFailsOverInTime(t *testing.T) {
	t.Parallel()
	const target = "sip:alice@biloxi.example:5070"
	for method, ask := range map[gosip.RequestMethod]func(*Stack, context.Context) error{
		gosip.INVITE: func(s *Stack, ctx context.Context) error {
			_, err := s.Invite(ctx, Invite{Target: target, From: "bob", SDP: []byte(sdpA)})
			return err
		},
		gosip.REGISTER: func(s *Stack, ctx context.Context) error {
			return s.Register(ctx, RegistrationConfig{AOR: target, OnState: func(RegState) {}})
		},
		gosip.OPTIONS: func(s *Stack, ctx context.Context) error {
			return s.KeepAlive(ctx, KeepAliveConfig{Target: target, OnState: func(PeerState) {}})
		},
	} {
		t.Run(string(method), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, n *memNet) {
				s := n.stack(t, withServers(t, 2))
				var rs []*raw
				for i := range 2 {
					n.at, n.next = netip.AddrFrom4([4]byte{127, 0, 1, byte(i + 1)}), 5070
					rs = append(rs, n.raw(t, s))
				}
				ctx, cancel := context.WithCancel(t.Context())
				began, done := time.Now(), make(chan error, 1)
				go func() { done <- ask(s, ctx) }()
				rs[0].request(method)
				if took := time.Since(began); took > 0 {
					t.Errorf("the first was asked after %v", took)
				}
				req := rs[1].request(method)
				if took := time.Since(began); took < 3*time.Second || took > 4*time.Second {
					t.Errorf("the second was asked after %v", took)
				}
				rs[1].answer(req, 486, "t", "", "")
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}
