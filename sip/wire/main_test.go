package wire

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testT1   = 20 * time.Millisecond
	patience = 20 * time.Second
)

// seen is one request that reached the handler.
type seen struct {
	req  *sip.Request
	flow Flow
	tx   *ServerTx
}

// handler collects requests; answer, when set, is what becomes of each.
type handler struct {
	known  bool
	answer func(seen)
	got    chan seen
	lost   chan Flow
}

func newHandler(answer func(seen)) *handler {
	return &handler{known: true, answer: answer, got: make(chan seen, 256), lost: make(chan Flow, 16)}
}

func (h *handler) Known(Flow) bool { return h.known }
func (h *handler) Admit(Flow) bool { return true }
func (h *handler) Nonsense(Flow)   {}
func (h *handler) InUse(Flow) bool { return h.known }

func (h *handler) Lost(f Flow) {
	select {
	case h.lost <- f:
	default:
	}
}

func (h *handler) Request(req *sip.Request, flow Flow, tx *ServerTx) {
	s := seen{req, flow, tx}
	if h.answer != nil {
		h.answer(s)
	}
	select {
	case h.got <- s:
	default:
	}
}

func (h *handler) take(t testing.TB) seen {
	t.Helper()
	select {
	case s := <-h.got:
		return s
	case <-time.After(patience):
		t.Fatal("no request")
		return seen{}
	}
}

// status answers every request but ACK.
func status(code int) func(seen) {
	return func(s seen) {
		if s.tx != nil {
			_ = s.tx.Respond(NewResponse(s.req, code, "Phrase", "tag"))
		}
	}
}

func startLayer(t testing.TB, h Handler, adjust ...func(*Config)) *Layer {
	t.Helper()
	cfg := Config{UDP: []string{"127.0.0.1:0"}, TCP: []string{"127.0.0.1:0"}, T1: testT1}
	for _, f := range adjust {
		f(&cfg)
	}
	l, err := New(cfg, h)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { l.Serve(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return l
}

// message is a good request with CRLF line ends.
func message(method, branch string, extra ...string) string {
	lines := append([]string{
		method + " sip:bob@biloxi.example SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=" + branch, "Max-Forwards: 70",
		"From: Alice <sip:alice@atlanta.example>;tag=1928301774", "To: Bob <sip:bob@biloxi.example>", "Call-ID: a84b4c76e66710@192.0.2.1",
		"CSeq: 314159 " + method, "Contact: <sip:alice@192.0.2.1>",
	}, extra...)
	return strings.Join(append(lines, "Content-Length: 0", "", ""), "\r\n")
}

// request is a request to send.
func request(method sip.RequestMethod, to string) *sip.Request {
	var u sip.Uri
	_ = sip.ParseUri("sip:bob@"+to, &u)
	req := sip.NewRequest(method, u)
	hops, id := sip.MaxForwardsHeader(70), sip.CallIDHeader(NewTag())
	from := &sip.FromHeader{Address: sip.Uri{Scheme: "sip", User: "alice", Host: "atlanta.example"}}
	from.Params.Add("tag", NewTag())
	for _, h := range []sip.Header{&hops, from, &sip.ToHeader{Address: u}, &id, &sip.CSeqHeader{SeqNo: 1, MethodName: method}, &sip.ContactHeader{Address: from.Address}} {
		req.AppendHeader(h)
	}
	req.SetBody(nil)
	return req
}

// outcome is one call of an OnResponse.
type outcome struct {
	res *sip.Response
	err error
}

func collect() (chan outcome, OnResponse) {
	ch := make(chan outcome, 64)
	return ch, func(res *sip.Response, _ Flow, err error) { ch <- outcome{res, err} }
}

func takeOutcome(t testing.TB, ch chan outcome) outcome {
	t.Helper()
	select {
	case o := <-ch:
		return o
	case <-time.After(patience):
		t.Fatal("no outcome")
		return outcome{}
	}
}

func to(l *Layer, transport string) Dest {
	return Dest{Transport: transport, Addrs: []netip.AddrPort{l.Addr(transport)}}
}

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !cond() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("never: %s", what)
		}
	}
}
