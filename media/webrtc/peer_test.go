package webrtc

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"callbox/media/ice/icetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 2 * time.Minute

// side is a peer on a wire in memory.
type side struct {
	*Peer
	addr   netip.AddrPort
	failed chan error
	keyed  chan struct{}

	mu    sync.Mutex // guards what follows
	other *side
	lose  int // datagrams of ours to be lost
	aimed netip.AddrPort
	stun  int // answers sent
}

// Send implements Port.
func (s *side) Send(b []byte, to netip.AddrPort) error {
	s.mu.Lock()
	other := s.other
	if b[0] < 4 {
		s.stun++
		other = nil // checks are answered to the test
	} else if s.lose > 0 {
		s.lose--
		other = nil
	}
	s.mu.Unlock()
	if other != nil && to == other.addr {
		other.Take(bytes.Clone(b), s.addr, time.Now())
	}
	return nil
}

// Aim implements Port.
func (s *side) Aim(to netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aimed = to
}

func newSide(t *testing.T, addr string) *side {
	t.Helper()
	id, err := NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	s := &side{addr: netip.MustParseAddrPort(addr), failed: make(chan error, 4), keyed: make(chan struct{}, 4)}
	s.Peer = New(Config{Identity: id, Port: s, Keyed: func() { s.keyed <- struct{}{} }, Failed: func(err error) { s.failed <- err }})
	t.Cleanup(s.Close)
	return s
}

// pair are a box and a browser that know each other; the browser begins the
// handshake.
func pair(t *testing.T) (box, browser *side) {
	t.Helper()
	box, browser = newSide(t, "192.0.2.1:40000"), newSide(t, "198.51.100.7:50000")
	box.other, browser.other = browser, box
	for _, err := range []error{
		box.Start(Far{Ufrag: "browser", Fingerprint: browser.Fingerprint()}),
		browser.Start(Far{Ufrag: "box", Fingerprint: box.Fingerprint(), Passive: true}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return box, browser
}

// check makes each side pass a check of the other.
func check(box, browser *side, now time.Time) {
	c, d := box.Credentials(), browser.Credentials()
	box.Take(icetest.Check(c.Ufrag, c.Password, "browser", true), browser.addr, now)
	browser.Take(icetest.Check(d.Ufrag, d.Password, "box", true), box.addr, now)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("never: %s", what)
		}
	}
}

// packet is an RTP packet.
func packet(seq byte, payload string) []byte {
	return append([]byte{0x80, 0, 0, seq, 0, 0, 0, 160, 1, 2, 3, 4}, payload...)
}

func TestKeys(t *testing.T) {
	t.Parallel()
	box, browser := pair(t)
	if _, err := box.Seal(nil, packet(1, "early")); err == nil || box.Keyed() {
		t.Error("something is sent before there are keys")
	}
	if !box.Heard().IsZero() {
		t.Error("somebody was heard who has said nothing")
	}
	if _, err := box.Open(nil, packet(1, "early")); err == nil {
		t.Error("something is taken before there are keys")
	}
	if _, err := box.OpenReport(nil, packet(1, "early")); err == nil {
		t.Error("a report is taken before there are keys")
	}
	if _, err := box.SealReport(nil, packet(1, "early")); err == nil {
		t.Error("a report is sent before there are keys")
	}
	box.lose, browser.lose = 1, 1 // which the handshake repeats
	now := time.Now()
	check(box, browser, now)
	eventually(t, "keys", func() bool { return box.Keyed() && browser.Keyed() })
	<-box.keyed
	if box.Selected() != browser.addr || box.aimed != browser.addr || box.Heard().IsZero() {
		t.Errorf("the way is %v, heard %v", box.Selected(), box.Heard())
	}
	for i, way := range [][2]*side{{box, browser}, {browser, box}} {
		want := packet(byte(7+i), "the sound of a call")
		sealed, err := way[0].Seal(nil, want)
		if err != nil || bytes.Contains(sealed, []byte("sound")) {
			t.Fatalf("sealed %q, %v", sealed, err)
		}
		if got, err := way[1].Open(nil, sealed); err != nil || !bytes.Equal(got, want) {
			t.Errorf("opened %q, %v", got, err)
		}
		if _, err := way[1].Open(nil, sealed); err == nil {
			t.Error("a packet was taken twice")
		}
		report := []byte{0x80, 201, 0, 1, 1, 2, 3, 4}
		sealed, err = way[0].SealReport(nil, report)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := way[1].OpenReport(nil, sealed); err != nil || !bytes.Equal(got, report) {
			t.Errorf("opened %x, %v", got, err)
		}
	}
	if !box.Heard().After(now) {
		t.Error("the sound is no sign of life")
	}
	// A re-INVITE with the same identity changes nothing; with another it is refused.
	if err := box.Start(Far{Ufrag: "browser", Fingerprint: browser.Fingerprint()}); err != nil {
		t.Error(err)
	}
	if err := box.Start(Far{Ufrag: "browser", Fingerprint: box.Fingerprint()}); !errors.Is(err, ErrChanged) {
		t.Errorf("another identity: %v", err)
	}
	before := box.Credentials()
	if box.Restart("again"); box.Credentials() == before || !box.Keyed() || box.Selected() != browser.addr {
		t.Error("a restart of ICE keeps the credentials, or loses the rest")
	}
	browser.Close()
	box.Close()
	box.Close()
	select {
	case err := <-box.failed:
		t.Errorf("a goodbye is a failure: %v", err)
	default:
	}
}

// TestForgedCertificate: somebody else's certificate gets no keys.
func TestForgedCertificate(t *testing.T) {
	t.Parallel()
	box, browser := pair(t)
	if err := box.Start(Far{Ufrag: "browser", Fingerprint: box.Fingerprint()}); err != nil {
		t.Fatal(err)
	}
	check(box, browser, time.Now())
	select {
	case err := <-box.failed:
		if !errors.Is(err, ErrIdentity) {
			t.Errorf("failed with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("nothing failed")
	}
	if box.Keyed() || browser.Keyed() {
		t.Error("there are keys")
	}
	select {
	case err := <-browser.failed:
		if !errors.Is(err, ErrHandshake) {
			t.Errorf("the other side failed with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the other side does not know")
	}
}

// TestStrangers: who has passed no check starts no handshake.
func TestStrangers(t *testing.T) {
	t.Parallel()
	box, browser := pair(t)
	d := browser.Credentials()
	browser.Take(icetest.Check(d.Ufrag, d.Password, "box", true), box.addr, time.Now())
	eventually(t, "the browser begins", func() bool { browser.mu.Lock(); defer browser.mu.Unlock(); return browser.aimed.IsValid() })
	for _, b := range [][]byte{nil, {22}, {22, 0xfe, 0xfd}, {0}, {200}, bytes.Repeat([]byte{25}, 1500)} {
		box.Take(b, browser.addr, time.Now())
	}
	box.mu.Lock()
	defer box.mu.Unlock()
	if box.shakes || box.stun != 0 {
		t.Error("a stranger was answered")
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	id, err := NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	der := id.cert.Certificate[0]
	for fingerprint, want := range map[string]bool{
		id.Fingerprint():                    true,
		strings.ToLower(id.Fingerprint()):   true,
		"SHA-512 " + digest("sha-512", der): true,
		"sha-384 " + digest("sha-384", der): true,
		"sha-256 " + digest("sha-512", der): false,
		"sha-1 ":                            false,
		"":                                  false,
		"md5 00":                            false,
	} {
		if matches(fingerprint, der) != want {
			t.Errorf("%s: %v", fingerprint, !want)
		}
	}
	if len(strings.Split(strings.TrimPrefix(id.Fingerprint(), "sha-256 "), ":")) != 32 {
		t.Errorf("fingerprint %s", id.Fingerprint())
	}
}

// TestNoGarbage: with keys the ciphers make none (the media clock calls them).
func TestNoGarbage(t *testing.T) {
	box, browser := pair(t)
	check(box, browser, time.Now())
	eventually(t, "keys", func() bool { return box.Keyed() && browser.Keyed() })
	sealed, seq := make([]byte, 0, 1500), byte(0)
	plain, in := packet(0, strings.Repeat("x", 160)), make([]byte, 0, 1500)
	if n := testing.AllocsPerRun(100, func() {
		seq++
		plain[3] = seq
		out, err := box.Seal(sealed, plain)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := browser.Open(in, out); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for each packet", n)
	}
}
