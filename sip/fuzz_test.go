package sip

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"callbox/sip/wire"
)

// FuzzStack takes raw bytes from a trunk, a phone and a stranger through the
// whole stack, in and out of a dialog that is live while they come. Nothing may
// panic.
func FuzzStack(f *testing.F) {
	head := "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\nMax-Forwards: 70\nFrom: \"A\" <sip:201@atlanta.example>;tag=r\nTo: <sip:201@biloxi.example>TAG\nCall-ID: fuzz\nContact: <sip:a@192.0.2.1>\n"
	for _, m := range []string{"INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "UPDATE", "INFO", "PRACK", "NOTIFY", "REFER", "SUBSCRIBE"} {
		for _, tag := range []string{"", ";tag=LOCAL"} {
			for _, extra := range []string{
				"Content-Length: 0\n\n",
				"Content-Type: application/sdp\nContent-Length: 5\n\nv=0\r\n",
				"Content-Type: multipart/mixed; boundary=b\nContent-Length: 60\n\n--b\nContent-Type: application/sdp\n\nv=0\n--b--\n                     ",
				"Refer-To: \"B\" <sip:b@biloxi.example;x=1?Replaces=fuzz%3Bto-tag%3D1%3Bfrom-tag%3D2>\nReferred-By: sip:c\nEvent: refer\nContent-Length: 0\n\n",
				"Replaces: fuzz;to-tag=LOCAL;from-tag=r;early-only\nRefer-To: tel:+1;x\nRefer-Sub: false\nContent-Length: 0\n\n",
				"Reason: Q.850;cause=16;text=\"x\\\"\", SIP;cause=\nExpires: 0\nRequire: 100rel\nContent-Length: 0\n\n",
				"Supported: timer, 100rel\nSession-Expires: 99999999999;refresher=uac;x\nMin-SE: -1\nRAck: 1 1 INVITE\nAllow: UPDATE\nP-Asserted-Identity: <\nContent-Length: 0\n\n",
				"Require: timer\nx: 0;refresher\nSession-Expires: ;;\nRAck: 99999999999 1\nRemote-Party-ID: \"x\nContent-Length: 0\n\n",
				"Authorization: Digest username=\"201\", realm=\"callbox\", nonce=\"AAAA\", uri=\"sip:x\", response=\"\", qop=auth, nc=1, cnonce=\"a\"\nRecord-Route: <sip:p;lr>, <sip:q>\nContent-Length: 0\n\n",
			} {
				f.Add([]byte(strings.ReplaceAll(m+" sip:201@biloxi.example SIP/2.0\n"+strings.Replace(head, "TAG", tag, 1)+"CSeq: 2 "+m+"\n"+extra, "\n", "\r\n")))
			}
		}
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		s, err := New(Config{TCP: []string{"127.0.0.1:0"}, T1: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		dialogs := make(chan *Dialog, 64)
		for _, p := range []Peer{
			{Name: "trunk", Addrs: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}, Invite: func(d *Dialog) { dialogs <- d }},
			{Name: "phone", Username: "201", Password: "x", Register: true, Invite: func(d *Dialog) { dialogs <- d }},
		} {
			if _, err := s.AddPeer(p); err != nil {
				t.Fatal(err)
			}
		}
		feed(s, dialogs, msg)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_ = s.Serve(ended) // closes everything
		if n := s.Counters().Panics; n != 0 {
			t.Fatalf("%d panics", n)
		}
	})
}

// feed gives the bytes to the stack's layer, with the tag of a live dialog in
// place of LOCAL.
func feed(s *Stack, dialogs chan *Dialog, msg []byte) {
	flow := func(host string) wire.Flow {
		return wire.Flow{Transport: wire.UDP, Local: netip.MustParseAddrPort("127.0.0.1:5060"), Remote: netip.MustParseAddrPort(host + ":5060")}
	}
	open := strings.ReplaceAll("INVITE sip:201@biloxi.example SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKopen\nMax-Forwards: 70\nFrom: <sip:a@atlanta.example>;tag=r\nTo: <sip:201@biloxi.example>\nCall-ID: fuzz\nCSeq: 1 INVITE\nRequire: 100rel\nSupported: timer\nContact: <sip:a@192.0.2.1>\nContent-Length: 0\n\n", "\n", "\r\n")
	s.wire.Receive([]byte(open), flow("192.0.2.1"))
	d := <-dialogs
	for _, state := range []func(){
		func() {}, func() { _ = d.Ring(180, []byte(sdpB)) }, func() { _ = d.Answer([]byte(sdpA)) },
		func() { _ = d.AcceptOffer([]byte(sdpB)) }, func() { d.Hangup(Reason{}) },
	} {
		state()
		text := []byte(strings.ReplaceAll(string(msg), "LOCAL", d.localTag))
		for _, host := range []string{"192.0.2.1", "198.51.100.9"} {
			s.wire.Receive(text, flow(host))
		}
		for {
			select {
			case other := <-dialogs:
				other.Reject(486, Reason{})
				continue
			default:
			}
			break
		}
	}
}
