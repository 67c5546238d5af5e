package user_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"callbox/call"
	"callbox/call/line/sipleg/siptest"
	"callbox/call/line/user"
	"callbox/media"
	"callbox/media/ice/icetest"
	"callbox/media/webrtc"
	"callbox/sip"
)

// page is the sound of a browser made by hand: a UDP port with the far sides of
// ICE and DTLS, so that it can do what no browser does.
type page struct {
	*webrtc.Peer
	t      *testing.T
	pc     *net.UDPConn
	done   sync.WaitGroup
	stun   chan []byte // answers to checks
	sound  chan []byte // packets that could be opened
	failed chan error

	ufrag, password string // the box's
	box             netip.AddrPort
}

func identity(t *testing.T) *webrtc.Identity {
	t.Helper()
	id, err := webrtc.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newPage(t *testing.T) *page {
	t.Helper()
	pc, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(phoneHost)})
	if err != nil {
		t.Fatal(err)
	}
	p := &page{t: t, pc: pc, stun: make(chan []byte, 16), sound: make(chan []byte, 256), failed: make(chan error, 4)}
	p.Peer = webrtc.New(webrtc.Config{Identity: identity(t), Port: p, Keyed: func() {}, Failed: func(err error) { p.failed <- err }})
	p.done.Go(p.read)
	t.Cleanup(func() { p.Close(); pc.Close(); p.done.Wait() })
	return p
}

// Send implements webrtc.Port.
func (p *page) Send(b []byte, to netip.AddrPort) error {
	if b[0] < 4 {
		return nil // what its own agent would say to the test
	}
	_, err := p.pc.WriteToUDPAddrPort(b, to)
	return err
}

// Aim implements webrtc.Port.
func (p *page) Aim(netip.AddrPort) {}

func (p *page) read() {
	buf := make([]byte, 2048)
	for {
		n, from, err := p.pc.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		b := append([]byte(nil), buf[:n]...)
		switch {
		case b[0] < 4:
			p.stun <- b
		case b[0] < 128:
			p.Take(b, from, time.Now())
		default:
			if plain, err := p.Open(nil, b); err == nil {
				select {
				case p.sound <- plain:
				default:
				}
			}
		}
	}
}

// offer is the session description of a browser.
func (p *page) offer(changes ...string) []byte {
	text := fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 0 126\r\nc=IN IP4 0.0.0.0\r\n"+
		"a=rtpmap:111 opus/48000/2\r\na=rtpmap:126 telephone-event/8000\r\na=mid:0\r\na=ice-ufrag:page\r\na=ice-pwd:%s\r\na=fingerprint:%s\r\na=setup:actpass\r\na=rtcp-mux\r\n",
		p.Credentials().Password, p.Fingerprint())
	return []byte(strings.NewReplacer(changes...).Replace(text))
}

// learn takes what the box's answer says.
func (p *page) learn(answer []byte) {
	p.t.Helper()
	value := func(pattern string) string {
		m := regexp.MustCompile(pattern).FindSubmatch(answer)
		if m == nil {
			p.t.Fatalf("no %s in\n%s", pattern, answer)
		}
		return string(m[1])
	}
	p.ufrag, p.password = value(`a=ice-ufrag:(\S+)`), value(`a=ice-pwd:(\S+)`)
	value(`a=(setup:passive)`)
	value(`a=(ice-lite)`)
	p.box = netip.MustParseAddrPort(value(`a=candidate:1 1 udp \d+ (\S+) \d+ typ host`) + ":" + value(`a=candidate:1 1 udp \d+ \S+ (\d+) typ host`))
	if err := p.Start(webrtc.Far{Ufrag: p.ufrag, Fingerprint: value(`a=fingerprint:(\S+ \S+)`), Passive: true}); err != nil {
		p.t.Fatal(err)
	}
}

// check sends checks until one is granted.
func (p *page) check(nominate bool) {
	p.t.Helper()
	limit := time.After(patience)
	for {
		if _, err := p.pc.WriteToUDPAddrPort(icetest.Check(p.ufrag, p.password, "page", nominate), p.box); err != nil {
			p.t.Fatal(err)
		}
		select {
		case b := <-p.stun:
			if icetest.Granted(b) {
				return
			}
		case <-time.After(50 * time.Millisecond):
		case <-limit:
			p.t.Fatal("no check is granted")
		}
	}
}

// shake begins the handshake.
func (p *page) shake() {
	c := p.Credentials()
	p.Take(icetest.Check(c.Ufrag, c.Password, p.ufrag, true), p.box, time.Now())
}

// webCall is a call of a browser to a user's line.
func webCall(t *testing.T, id *webrtc.Identity, offer []byte) (*sip.Dialog, <-chan call.Leg) {
	t.Helper()
	line, stack, _ := newLine(t, user.Config{ID: "201", Password: password, Identity: id})
	in := serve(t, line)
	far := siptest.NewStack(t, phoneHost)
	out, err := far.Invite(bounded(t), sip.Invite{Target: "sip:202@" + stack.Addr("tcp").String() + ";transport=tcp", From: "201",
		Auth: &sip.Credentials{Username: "201", Password: password}, SDP: offer})
	if err != nil {
		t.Fatal(err)
	}
	return out, in
}

// answered waits for the 200 and gives its session description.
func answered(t *testing.T, d *sip.Dialog) []byte {
	t.Helper()
	for e := range d.Events() {
		switch e.Type {
		case sip.Answered:
			return e.SDP
		case sip.Ended:
			t.Fatalf("refused: %+v", e)
		}
	}
	t.Fatal("no answer")
	return nil
}

// TestBrowserSound: nothing goes without keys, sound both ways with them, and a
// later session description may start ICE anew, but not change who is there.
func TestBrowserSound(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	out, in := webCall(t, identity(t), p.offer())
	leg := <-in
	go leg.Answer(context.Background()) //nolint:errcheck // the event says it
	p.learn(answered(t, out))
	hello := append([]byte{22, 0xfe, 0xfd}, make([]byte, 60)...)
	for _, b := range [][]byte{hello, icetest.Check(p.ufrag, p.password+"x", "page", true), icetest.Check("x"+p.ufrag, p.password, "page", true)} {
		if _, err := p.pc.WriteToUDPAddrPort(b, p.box); err != nil {
			t.Fatal(err)
		}
	}
	p.check(true)
	p.shake()
	until(t, leg, call.LegAnswered)
	limit := time.After(patience)
	tick := time.NewTicker(media.FrameDuration)
	defer tick.Stop()
	f, heard := &media.Frame{}, false
	for seq := byte(0); !heard || len(p.sound) == 0; seq++ {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("no sound: heard %v, the page has %d packets", heard, len(p.sound))
		}
		leg.Audio().WriteFrame(f)
		heard = leg.Audio().ReadFrame(&media.Frame{}) || heard
		packet, err := p.Seal(nil, append([]byte{0x80, 0, 0, seq, 0, 0, seq, 0, 1, 2, 3, 4}, make([]byte, 160)...))
		if err == nil {
			_, err = p.pc.WriteToUDPAddrPort(packet, p.box)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	again, err := out.Reinvite(bounded(t), p.offer("a=ice-ufrag:page", "a=ice-ufrag:anew", "o=- 1 1", "o=- 1 2"))
	if err != nil || strings.Contains(string(again), "a=ice-ufrag:"+p.ufrag+"\r\n") || !strings.Contains(string(again), "a=setup:passive") {
		t.Errorf("ICE anew: %v\n%s", err, again)
	}
	var refused *sip.StatusError
	if _, err := out.Reinvite(bounded(t), p.offer(p.Fingerprint(), identity(t).Fingerprint(), "o=- 1 1", "o=- 1 3")); !errors.As(err, &refused) || refused.Status != 488 {
		t.Errorf("another identity: %v", err)
	}
	leg.Hangup(call.NormalClearing(call.Box))
	until(t, leg, call.LegEnded)
}

// TestForgedBrowser: whoever has not the certificate of the session description
// ends the call.
func TestForgedBrowser(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	out, in := webCall(t, identity(t), p.offer(p.Fingerprint(), identity(t).Fingerprint()))
	leg := <-in
	go leg.Answer(context.Background()) //nolint:errcheck // the event says it
	p.learn(answered(t, out))
	p.check(true)
	p.shake()
	e := until(t, leg, call.LegEnded)
	if want := "the sound of user 201 cannot be trusted: the far end has another certificate than its session description says"; e.Cause.Text != want || e.Cause.SIP != 488 {
		t.Errorf("ended with %+v", e.Cause)
	}
}

// TestBrowserRefused: offers that cannot be had are refused with 488.
func TestBrowserRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		id      bool
		changes []string
	}{
		"a box without an identity": {false, nil},
		"no fingerprint":            {true, []string{"a=fingerprint", "a=x"}},
		"no ICE":                    {true, []string{"a=ice-ufrag", "a=x"}},
		"no multiplexed RTCP":       {true, []string{"a=rtcp-mux", "a=x"}},
		"no codec":                  {true, []string{"SAVPF 111 0 126", "SAVPF 111 126"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var id *webrtc.Identity
			if tc.id {
				id = identity(t)
			}
			out, _ := webCall(t, id, newPage(t).offer(tc.changes...))
			for e := range out.Events() {
				if e.Type == sip.Ended && e.Status != 488 {
					t.Errorf("ended with %+v", e)
				}
			}
		})
	}
}
