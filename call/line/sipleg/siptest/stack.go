package siptest

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"callbox/media/rtp"
	"callbox/sip"
)

// patience bounds everything that a test waits for.
const patience = time.Minute

// T1 is the round-trip estimate of stacks in tests: short, so that a far end
// that does not respond is given up within 4 s.
const T1 = 60 * time.Millisecond

// NewStack opens and serves a SIP stack on UDP and TCP at a loopback address
// until the test ends. Changes to the configuration are made by adjust.
func NewStack(t testing.TB, host string, adjust ...func(*sip.Config)) *sip.Stack {
	t.Helper()
	addr := net.JoinHostPort(host, "0")
	cfg := sip.Config{UDP: []string{addr}, TCP: []string{addr}, T1: T1, Realm: "biloxi.example"}
	for _, f := range adjust {
		f(&cfg)
	}
	s, err := sip.New(cfg)
	if err != nil {
		t.Fatalf("open a SIP stack on %s: %v", host, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("SIP stack on %s: %v", host, err)
			}
		case <-time.After(patience):
			t.Errorf("SIP stack on %s did not stop within %v", host, patience)
		}
	})
	return s
}

// NewPorts makes a pool of RTP ports at a loopback address until the test ends.
func NewPorts(t testing.TB, host string) *rtp.PortPool {
	t.Helper()
	p, err := rtp.NewPortPool(rtp.PoolConfig{Bind: netip.MustParseAddr(host), Quiet: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if st := p.Stats(); st.Busy != 0 {
			t.Errorf("RTP ports on %s still in use: %d", host, st.Busy)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}
