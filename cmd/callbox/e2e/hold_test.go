//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"callbox/media/tone"
)

// TestHold: a caller holds a phone in each of the ways that there are, and takes it
// back: the answers are right, and the phone hears the box's music, or what the
// account has instead. Keys come as both kinds of INFO in between.
func TestHold(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	first, second := speak(t, "This is the music of the provider.", "-p", "60"), speak(t, "Another song is played now.", "-p", "30")
	a.doc("/in", `<Response><Gather input="dtmf" numDigits="2" action="/keys" timeout="60"/></Response>`)
	a.doc("/keys", `<Response><Dial><Client>bob</Client></Dial></Response>`)
	g, _ := trunked(t, a, "")
	g.configure(`
users:
- name: bob
  password: b1o2b3b4o5
`)
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
	rtp := freePorts(t, 2)
	r := newRawCaller(t, g, "hold", rtp)
	r.send(r.request("INVITE", "a", 1), 1)
	r.must("1 INVITE", 200)
	r.send(r.request("ACK 200", "b", 1), 1)
	info := func(seq int, typ, body string) {
		t.Helper()
		text := r.request("INFO", fmt.Sprint("i", seq), seq)
		r.send(strings.Replace(text, "Content-Length: 0\r\n\r\n", fmt.Sprintf("Content-Type: %s\r\nContent-Length: %d\r\n\r\n%s", typ, len(body), body), 1), 1)
		r.must(fmt.Sprint(seq, " INFO"), 200)
	}
	a.until("/in", 1)
	pauseFor(2 * time.Second)
	info(2, "application/dtmf-relay", "Signal=5\r\nDuration=160\r\n")
	info(3, "application/dtmf", "#")
	if got := a.until("/keys", 1).form.Get("Digits"); got != "5" && got != "5#" {
		t.Errorf("the keys were %q", got)
	}
	bob.wait("CALL_ESTABLISHED")

	seq := 3
	reinvite := func(conn, direction, want string) {
		t.Helper()
		seq++
		text := r.request("INVITE", fmt.Sprint("r", seq), seq)
		head, _, _ := strings.Cut(text, "\r\n\r\n")
		head = head[:strings.LastIndex(head, "\r\nContent-Length")]
		body := fmt.Sprintf("v=0\r\no=- 1 %d IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=%s\r\n", seq, conn, rtp, direction)
		r.send(fmt.Sprintf("%s\r\nContent-Length: %d\r\n\r\n%s", head, len(body), body), 1)
		if answer := r.must(fmt.Sprint(seq, " INVITE"), 200); !strings.Contains(answer, "\r\na="+want+"\r\n") {
			t.Errorf("%s at %s is answered\n%s", direction, conn, answer)
		}
		r.send(r.request("ACK 200", fmt.Sprint("k", seq), seq), 1)
	}
	holds := func(conn, direction, answer string, d time.Duration) {
		t.Helper()
		reinvite(conn, direction, answer)
		pauseFor(d)
		reinvite("127.0.0.1", "sendrecv", "sendrecv")
		pauseFor(2 * time.Second)
	}
	music := func(file string, s []int16) {
		t.Helper()
		a.wav(file, s)
		g.change("- id: "+g.account+"\n", "- id: "+g.account+"\n  hold_music: "+a.URL+file+"\n")
	}
	length := func(s []int16) time.Duration { return time.Duration(len(s)/rate+4) * time.Second }
	holds("127.0.0.1", "sendonly", "recvonly", 6*time.Second)
	music("/first.wav", first)
	holds("127.0.0.1", "inactive", "inactive", length(first))
	g.change("  hold_music: "+a.URL+"/first.wav\n", "")
	music("/second.wav", second)
	holds("0.0.0.0", "sendrecv", "recvonly", length(second))
	seq++
	r.send(r.request("BYE", "z", seq), 1)
	r.must(fmt.Sprint(seq, " BYE"), 200)
	bob.wait("CALL_CLOSED")
	heard := bob.heard()
	hears(t, "bob, the box's music,", heard, tone.Music()[:4*rate])
	hears(t, "bob, the account's music,", heard, first)
	hears(t, "bob, the account's other music,", heard, second)
}

// TestConnectedParty: a caller whose side of a call changes says so by UPDATE, and
// the provider on the other side is told by another one, as it wants it.
func TestConnectedParty(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.doc("/in", `<Response><Dial answerOnBridge="true"><Number>+14155550123</Number></Dial></Response>`)
	g, port := trunked(t, a, "  identity: {headers: [pai], form: plain}")
	c := newRawCallee(t, port)
	r := newRawCaller(t, g, "party", freePorts(t, 2))
	r.send(r.request("INVITE", "a", 1), 1)
	c.respond(c.next("INVITE"), "200 OK", "bob", freePorts(t, 2), "Allow: INVITE, ACK, BYE, UPDATE")
	c.next("ACK")
	r.must("1 INVITE", 200)
	r.send(r.request("ACK 200", "b", 1), 1)
	pauseFor(time.Second) // they are connected
	update := strings.Replace(r.request("UPDATE", "c", 2), "Max-Forwards: 70\r\n", "Max-Forwards: 70\r\nP-Asserted-Identity: \"Carol\" <sip:+14155550188@biloxi.example>\r\n", 1)
	r.send(update, 1)
	r.must("2 UPDATE", 200)
	told := c.next("UPDATE")
	if got := header(told, "P-Asserted-Identity"); got != "<sip:14155550188@127.0.0.1>" {
		t.Errorf("the provider is shown %q", got)
	}
	c.respond(told, "200 OK", "", 0)
	r.send(r.request("BYE", "z", 3), 1)
	r.must("3 BYE", 200)
	c.respond(c.next("BYE"), "200 OK", "", 0)
}
