package sip

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	gosip "github.com/emiago/sipgo/sip"
)

// raw is a peer made of a bare UDP socket: it sends what the test writes and
// repeats nothing.
type raw struct {
	t   testing.TB
	pc  rawConn
	web *websocket.Conn // in place of pc; nil: none
	to  *Stack
	seq int
	n   int // makes branches unique

	claims string // in place of its address; empty: nothing else

	seen map[string]bool // responses that came, to know repetitions
}

// rawConn is its socket: a *net.UDPConn, or one of a memNet.
type rawConn interface {
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	Read(b []byte) (int, error)
	SetReadDeadline(time.Time) error
	Close() error
	LocalAddr() net.Addr
}

func newRaw(t testing.TB, s *Stack) *raw {
	t.Helper()
	pc, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	return &raw{t: t, pc: pc, to: s, seen: map[string]bool{}}
}

func (r *raw) addr() string {
	if r.web != nil {
		return "df7jal23ls0d.invalid"
	}
	if r.claims != "" {
		return r.claims
	}
	return r.pc.LocalAddr().String()
}

// send sends text with line ends made CRLF.
func (r *raw) send(text string) {
	r.t.Helper()
	r.bytes([]byte(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")))
}

func (r *raw) bytes(b []byte) {
	r.t.Helper()
	if r.web != nil {
		b = bytes.Replace(b, []byte("SIP/2.0/UDP "), []byte("SIP/2.0/WS "), 1)
		b = bytes.ReplaceAll(b, []byte("<sip:bob@"), []byte("<sip:201@"))
		b = bytes.ReplaceAll(b, []byte("@"+r.addr()+">\r\n"), []byte("@"+r.addr()+";transport=ws>\r\n"))
		if err := r.web.Write(r.t.Context(), websocket.MessageText, b); err != nil {
			r.t.Fatal(err)
		}
		return
	}
	dst := r.to.Addr("udp")
	if _, err := r.pc.WriteToUDPAddrPort(b, dst); err != nil {
		r.t.Fatal(err)
	}
}

// ping is the keep-alive of RFC 5626 §4.4.1.
const ping = "\r\n\r\n"

// message takes the next message, passing over pings; nil after d without one.
func (r *raw) message(d time.Duration) gosip.Message {
	r.t.Helper()
	limit := time.Now().Add(d)
	buf, err := r.read(d)
	for err == nil && string(buf) == ping {
		buf, err = r.read(time.Until(limit))
	}
	if err != nil {
		return nil
	}
	m, err := gosip.ParseMessage(buf)
	if err != nil {
		r.t.Fatalf("the stack sent nonsense: %v\n%s", err, buf)
	}
	return m
}

func (r *raw) read(d time.Duration) ([]byte, error) {
	if r.web != nil { // which ends with a read that takes too long
		ctx, cancel := context.WithTimeout(r.t.Context(), d)
		defer cancel()
		_, b, err := r.web.Read(ctx)
		return b, err
	}
	buf := make([]byte, 65536)
	_ = r.pc.SetReadDeadline(time.Now().Add(d))
	n, err := r.pc.Read(buf)
	return buf[:max(n, 0)], err
}

// response takes responses until a final one, or one with status want.
func (r *raw) response(want int) *gosip.Response {
	r.t.Helper()
	return r.responseTo(want, 0)
}

// responseTo is response for one CSeq only; 0 means any.
func (r *raw) responseTo(want, seq int) *gosip.Response {
	r.t.Helper()
	limit := time.Now().Add(patience)
	for time.Now().Before(limit) {
		res, ok := r.message(time.Until(limit)).(*gosip.Response)
		if !ok || (seq != 0 && int(res.CSeq().SeqNo) != seq) {
			continue
		}
		key := fmt.Sprint(res.CallID(), res.CSeq(), res.StatusCode)
		repeated := r.seen[key]
		r.seen[key] = true
		if res.StatusCode == want {
			return res
		}
		if res.StatusCode >= 200 && !repeated {
			r.t.Fatalf("status %d, want %d", res.StatusCode, want)
		}
	}
	r.t.Fatalf("no %d", want)
	return nil
}

// request takes the next new request with method want, passing over others and
// over repetitions.
func (r *raw) request(want gosip.RequestMethod) *gosip.Request {
	r.t.Helper()
	return r.next(want, false)
}

// again is request that also takes a repetition.
func (r *raw) again(want gosip.RequestMethod) *gosip.Request {
	r.t.Helper()
	return r.next(want, true)
}

func (r *raw) next(want gosip.RequestMethod, repeated bool) *gosip.Request {
	r.t.Helper()
	limit := time.Now().Add(patience)
	for time.Now().Before(limit) {
		req, ok := r.message(time.Until(limit)).(*gosip.Request)
		if !ok {
			continue
		}
		key := fmt.Sprint(req.Via(), req.Method)
		known := r.seen[key]
		r.seen[key] = true
		if req.Method == want && (repeated || !known) {
			return req
		}
	}
	r.t.Fatalf("no %s", want)
	return nil
}

// answer responds to a request as a phone would.
func (r *raw) answer(req *gosip.Request, status int, tag, extra, body string) {
	r.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %d %s\n", status, phrase(status))
	for _, h := range req.GetHeaders("Via") {
		b.WriteString(h.String() + "\n")
	}
	to := req.To().String()
	if tag != "" && !strings.Contains(to, "tag=") {
		to += ";tag=" + tag
	}
	fmt.Fprintf(&b, "%s\n%s\n%s\n%s\n", req.From(), to, req.CallID(), req.CSeq())
	fmt.Fprintf(&b, "Contact: <sip:bob@%s>\n%sContent-Type: application/sdp\nContent-Length: %d\n\n", r.addr(), extra, len(body))
	r.bytes(append([]byte(strings.ReplaceAll(b.String(), "\n", "\r\n")), body...))
}

// text makes a request with everything a good one has.
func (r *raw) text(method, user, callID string, extra ...string) string {
	r.seq++
	return r.numbered(method, user, callID, r.seq, "", extra...)
}

// numbered is text with a CSeq and To tag of the test's choice.
func (r *raw) numbered(method, user, callID string, seq int, toTag string, extra ...string) string {
	to := fmt.Sprintf("<sip:%s@127.0.0.1>", user)
	if toTag != "" {
		to += ";tag=" + toTag
	}
	r.n++
	var b strings.Builder
	fmt.Fprintf(&b, "%s sip:%s@%s SIP/2.0\n", method, user, r.to.Addr("udp"))
	fmt.Fprintf(&b, "Via: SIP/2.0/UDP %s;branch=z9hG4bK%s-%d;rport\n", r.addr(), callID, r.n)
	fmt.Fprintf(&b, "From: <sip:%s@127.0.0.1>;tag=rawtag\nTo: %s\nCall-ID: %s\nCSeq: %d %s\nMax-Forwards: 70\n", user, to, callID, seq, method)
	fmt.Fprintf(&b, "Contact: <sip:%s@%s>\n", user, r.addr())
	for _, e := range extra {
		b.WriteString(e + "\n")
	}
	if !strings.Contains(b.String(), "Content-Length") {
		b.WriteString("Content-Length: 0\n")
	}
	return b.String() + "\n"
}

// invite is a complete INVITE with an offer.
func (r *raw) invite(user, callID string, extra ...string) string {
	r.seq++
	head := r.numbered("INVITE", user, callID, r.seq, "", append(extra, "Content-Type: application/sdp", fmt.Sprintf("Content-Length: %d", len(sdpA)))...)
	return head + sdpA
}

// silent fails when the stack says anything within a moment that is long
// against a round trip; a barrier request of a known peer is answered after it.
func (r *raw) silent() {
	r.t.Helper()
	if m := r.message(3 * testT1); m != nil {
		r.t.Fatalf("a stranger was answered:\n%s", m)
	}
}

func toTagOf(t testing.TB, res *gosip.Response) string {
	t.Helper()
	for _, p := range res.To().Params {
		if p.K == "tag" {
			return p.V
		}
	}
	t.Fatal("response without To tag")
	return ""
}

func headerValue(m interface {
	GetHeader(string) gosip.Header
}, name string) string {
	if h := m.GetHeader(name); h != nil {
		return h.Value()
	}
	return ""
}

func crlf(s string) []byte { return bytes.ReplaceAll([]byte(s), []byte("\n"), []byte("\r\n")) }

// refuse answers an INVITE with no Contact but those of extra, and takes the ACK.
func (r *raw) refuse(inv *gosip.Request, status int, extra string) {
	r.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %d %s\n%s\n%s\n%s;tag=x\n%s\n%s\n%s\nContent-Length: 0\n\n", status, phrase(status), inv.Via(), inv.From(), inv.To(), inv.CallID(), inv.CSeq(), extra)
	r.send(b.String())
	r.request("ACK")
}
