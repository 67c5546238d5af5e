package trace

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"callbox/call"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

var (
	start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	box   = netip.MustParseAddrPort("192.0.2.1:5060")
	alice = netip.MustParseAddrPort("192.0.2.7:5062")
	trunk = netip.MustParseAddrPort("[2001:db8::9]:5061")
)

// sip is a message with the lines that matter here.
func sip(first string, body ...string) []byte {
	return []byte(first + "\r\nCall-ID: x\r\n\r\n" + strings.Join(body, "\r\n"))
}

// filled is a ring with a call of two legs and one call beside it.
func filled() *Ring {
	r := NewRing(0)
	ms := func(n int) time.Time { return start.Add(time.Duration(n) * time.Millisecond) }
	parent := call.Record{ID: "CA1", To: "client:alice", Line: "alice", SIPCallID: "one@box"}
	child := call.Record{ID: "CA2", Parent: "CA1", To: "+15550123", Line: "provider", SIPCallID: "two@box"}
	other := call.Record{ID: "CA3", SIPCallID: "three@box"}
	sdp := "v=0\r\nm=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0|2^20\r\n"
	r.Publish(call.Event{Type: call.EventInitiated, At: ms(0), Record: &parent})
	r.Message(ms(1), "one@box", "udp", true, box, alice, sip("INVITE sip:alice@192.0.2.7:5062;transport=udp SIP/2.0", sdp))
	r.Message(ms(20), "one@box", "udp", false, box, alice, sip("SIP/2.0 180 Ringing"))
	r.Publish(call.Event{Type: call.EventRinging, At: ms(21), Record: &parent})
	r.Publish(call.Event{Type: call.EventEarly, At: ms(22), Record: &parent})
	r.Message(ms(2500), "one@box", "udp", false, box, alice, sip("SIP/2.0 200 OK", sdp))
	r.Message(ms(2501), "one@box", "udp", true, box, alice, sip("ACK sip:alice@192.0.2.7:5062 SIP/2.0"))
	r.Publish(call.Event{Type: call.EventAnswered, At: ms(2502), Record: &parent})
	r.Publish(call.Event{Type: call.EventVerb, At: ms(2503), Record: &parent, Note: "dial"})
	r.Message(ms(2510), "three@box", "udp", true, box, alice, sip("OPTIONS sip:other SIP/2.0"))
	r.Publish(call.Event{Type: call.EventInitiated, At: ms(2511), Record: &other})
	r.Publish(call.Event{Type: call.EventInitiated, At: ms(2600), Record: &child})
	r.Message(ms(2601), "two@box", "tls", true, netip.AddrPort{}, trunk, sip("INVITE sip:+15550123@provider.example SIP/2.0", "Authorization: Digest username=\"u\", response=\"0123456789abcdef\", uri=\"sip:x\"", sdp))
	r.Message(ms(2700), "two@box", "tls", false, box, trunk, sip("SIP/2.0 486 Busy Here"))
	r.Publish(call.Event{Type: call.EventEnded, At: ms(2702), Record: func() *call.Record {
		c := child
		c.State, c.Cause = call.Busy, &call.Cause{Q850: 17, SIP: 486, Who: call.Remote, Text: "+15550123 on trunk provider is busy"}
		return &c
	}()})
	return r
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	name = "testdata/" + name
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestLadder(t *testing.T) {
	for name, full := range map[string]bool{"ladder.txt": false, "ladder-full.txt": true} {
		var b strings.Builder
		if err := Ladder(&b, filled().Call("CA1"), full); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.String())
	}
	var b strings.Builder
	if err := Ladder(&b, filled().Call("CA9"), false); err != nil || !strings.Contains(b.String(), "nothing is remembered") {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func TestCall(t *testing.T) {
	r := filled()
	if n := len(r.Call("CA1")); n != 13 {
		t.Errorf("%d entries of a call and its child, want 13", n)
	}
	if n := len(r.Call("CA2")); n != 4 {
		t.Errorf("%d entries of the child, want 4", n)
	}
	if n := len(r.Call("CA9", "three@box")); n != 1 {
		t.Errorf("%d entries of a dialog that only the record knows, want 1", n)
	}
	if n := len(r.Call("CA9")); n != 0 {
		t.Errorf("%d entries of an unknown call", n)
	}
	r.Publish(call.Event{Type: call.EventWarning}) // an event without a call
}

// TestTheNewestAreKept fills a small ring far beyond its limit.
func TestTheNewestAreKept(t *testing.T) {
	const limit = 20_000
	r := NewRing(limit)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				r.Message(start, fmt.Sprint(g), "udp", true, box, alice, bytes.Repeat([]byte("x"), i%700))
			}
		})
	}
	wg.Wait()
	r.Message(start, "last", "udp", true, box, alice, bytes.Repeat([]byte("y"), 3*maxText))
	st := r.Stats()
	if st.Bytes > limit || st.Bytes < limit/3 || st.Entries+int(st.Dropped) != 2001 {
		t.Errorf("%+v", st)
	}
	last := r.Call("last")
	if len(last) != 1 || len(last[0].Text) != maxText {
		t.Fatalf("the newest is gone or not cut: %d", len(last))
	}
	tiny := NewRing(1)
	tiny.Message(start, "k", "udp", true, box, alice, []byte("x"))
	tiny.Message(start, "k", "udp", true, box, alice, []byte("x"))
	if n := tiny.Stats().Entries; n != 1 {
		t.Errorf("a ring without room keeps %d entries, want the newest", n)
	}
}

func TestSecretsAreStruckOut(t *testing.T) {
	for in, want := range map[string]string{
		"Authorization: Digest username=\"a\", response=\"0a1b\", uri=\"sip:x\"\r\n": "Authorization: Digest username=\"a\", response=\"****\", uri=\"sip:x\"\r\n",
		"Proxy-Authorization: Digest RESPONSE=0a1b\r\nX: y":                          "Proxy-Authorization: Digest RESPONSE=****\r\nX: y",
		"a=crypto:1 S inline:c2VjcmV0|2^20\r\na=crypto:2 S inline:eA==\r\n":          "a=crypto:1 S inline:********|2^20\r\na=crypto:2 S inline:****\r\n",
		"sip:bob@biloxi.example;password=hush;x=1":                                   "sip:bob@biloxi.example;password=****;x=1",
		"Authorization: Bearer abc\r\n":                                              "Authorization: Bearer ***\r\n",
		"inline:":                                                                    "inline:",
		"a=ice-ufrag:abcd\r\na=ice-pwd:secret+/0\r\nx":                               "a=ice-ufrag:abcd\r\na=ice-pwd:*********\r\nx",
		"no secret": "no secret",
	} {
		if got := string(conceal([]byte(in))); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
}

// TestPcapng reads back what was written, block by block, down to the checksums.
func TestPcapng(t *testing.T) {
	entries := filled().Call("CA1")
	var b bytes.Buffer
	if err := WritePcapng(&b, entries); err != nil {
		t.Fatal(err)
	}
	var packets []string
	kinds := ""
	for raw := b.Bytes(); len(raw) > 0; {
		kind, n := binary.LittleEndian.Uint32(raw), binary.LittleEndian.Uint32(raw[4:])
		if n%4 != 0 || int(n) > len(raw) || binary.LittleEndian.Uint32(raw[n-4:]) != n {
			t.Fatalf("block %x of %d bytes", kind, n)
		}
		kinds += fmt.Sprintf("%x ", kind)
		if kind == packetBlock {
			at := time.Unix(0, int64(binary.LittleEndian.Uint32(raw[12:]))<<32|int64(binary.LittleEndian.Uint32(raw[16:])))
			packets = append(packets, at.UTC().Format("05.000 ")+parsePacket(t, raw[28:28+binary.LittleEndian.Uint32(raw[20:])]))
		}
		raw = raw[n:]
	}
	if want := "a0d0d0a 1 6 6 6 6 6 6 "; kinds != want {
		t.Errorf("blocks %s, want %s", kinds, want)
	}
	golden(t, "packets.txt", strings.Join(packets, "\n")+"\n")
}

// parsePacket gives the addresses and the first line of an IP packet with UDP.
func parsePacket(t *testing.T, p []byte) string {
	t.Helper()
	var src, dst netip.Addr
	var udp []byte
	switch p[0] >> 4 {
	case 4:
		if checksum(p[:20]) != 0 || int(binary.BigEndian.Uint16(p[2:])) != len(p) || p[9] != 17 {
			t.Errorf("bad IPv4 header %x", p[:20])
		}
		src, dst, udp = netip.AddrFrom4([4]byte(p[12:16])), netip.AddrFrom4([4]byte(p[16:20])), p[20:]
	case 6:
		src, dst, udp = netip.AddrFrom16([16]byte(p[8:24])), netip.AddrFrom16([16]byte(p[24:40])), p[40:]
		pseudo := append(append([]byte{}, p[8:40]...), 0, 0, p[4], p[5], 0, 0, 0, 17)
		if checksum(append(pseudo, udp...)) != 0 {
			t.Error("bad UDP checksum")
		}
	default:
		t.Fatalf("IP version %d", p[0]>>4)
	}
	if int(binary.BigEndian.Uint16(udp[4:])) != len(udp) {
		t.Errorf("UDP says %d bytes, has %d", binary.BigEndian.Uint16(udp[4:]), len(udp))
	}
	first, _, _ := strings.Cut(string(udp[8:]), "\r\n")
	return fmt.Sprintf("%v:%d > %v:%d %s", src, binary.BigEndian.Uint16(udp), dst, binary.BigEndian.Uint16(udp[2:]), first)
}

func FuzzConceal(f *testing.F) {
	f.Add([]byte("Authorization: Digest response=\"0a1b\"\r\na=crypto:1 S inline:c2VjcmV0|2^20"))
	f.Add([]byte("RESPONSE=İ"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := conceal(bytes.Clone(b))
		if len(got) != len(b) {
			t.Fatalf("%d bytes became %d", len(b), len(got))
		}
	})
}

// TestLadderSteersNoTerminal shows what a message has of control characters by others.
func TestLadderSteersNoTerminal(t *testing.T) {
	t.Parallel()
	r := NewRing(0)
	r.Message(start, "id", "udp", false, box, alice, sip("INVITE sip:bob@biloxi.example SIP/2.0", "From: \"\\\x1b]0;x\\\a\" <sip:alice@192.0.2.7>;tag=1"))
	var b strings.Builder
	if err := Ladder(&b, r.Call("id"), true); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); strings.ContainsAny(got, "\x1b\a") || !strings.Contains(got, "\uFFFD]0;x") {
		t.Errorf("ladder %q", got)
	}
}
