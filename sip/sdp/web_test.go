package sdp

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestWebOffer follows an offer to a browser to its answer, and to the next offer.
func TestWebOffer(t *testing.T) {
	t.Parallel()
	l := localV4()
	l.Web = ourWeb()
	l.Web.Offer = true
	s := newSession(7)
	b, err := s.Offer(l)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"v=0", "o=- 7 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", "a=ice-lite", "a=group:BUNDLE 0", "a=msid-semantic:WMS *",
		"m=audio 40000 UDP/TLS/RTP/SAVPF 0 8 9 101", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=rtpmap:9 G722/8000",
		"a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15", "a=ptime:20", "a=sendrecv", "a=mid:0", "a=msid:callbox callbox-audio", "a=rtcp-mux",
		"a=ice-ufrag:boxu", "a=ice-pwd:box password of twenty-two", "a=fingerprint:sha-256 1F:2E", "a=setup:actpass",
		"a=candidate:1 1 udp 2130706431 192.0.2.1 40000 typ host", "a=end-of-candidates", "",
	}, "\r\n")
	if string(b) != want {
		t.Fatalf("got\n%s\nwant\n%s", b, want)
	}
	const head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 "
	const rest = "UDP/TLS/RTP/SAVPF 0 101\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:4ZcD\r\na=fingerprint:SHA-256 ab:cd\r\na=rtcp-mux\r\na=rtpmap:101 telephone-event/8000\r\na=setup:"
	m, err := s.Accept(l, []byte(head+rest+"active\r\n"))
	if err != nil || m.Web != (FarWeb{Ufrag: "4ZcD", Fingerprint: "sha-256 AB:CD"}) || m.Held() || m.LocalEventPT != 101 {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := s.Accept(l, []byte(head+rest+"passive\r\na=recvonly\r\n")); err != nil || !m.Web.Passive || m.Held() || m.Direction != RecvOnly {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := s.Accept(l, []byte(head+"RTP/AVP 0\r\nc=IN IP4 192.0.2.9\r\n")); !errors.Is(err, ErrInsecure) {
		t.Errorf("an answer in the clear: %v", err)
	}
	l.Web.Active = true
	d, err := Parse([]byte(head + rest + "actpass\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := s.Answer(l, d)
	if err != nil || !bytes.Contains(again, []byte("a=setup:active\r\n")) || bytes.Contains(again, []byte("BUNDLE")) {
		t.Errorf("a later answer (%v):\n%s", err, again)
	}
	next, err := s.Offer(l)
	if err != nil || !bytes.Contains(next, []byte("m=audio 40000 UDP/TLS/RTP/SAVPF 0 8 9 101\r\n")) || !bytes.Contains(next, []byte("a=setup:actpass\r\n")) {
		t.Errorf("a later offer (%v):\n%s", err, next)
	}
	if text := fmt.Sprintf("%v %+v %#v", *l.Web, l.Web, *l.Web); strings.Contains(text, "password") {
		t.Errorf("the password is shown: %s", text)
	}
}
