package wire

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

// socket is a bare UDP peer of a layer.
type socket struct {
	t  testing.TB
	pc *net.UDPConn
}

func newSocket(t testing.TB) *socket {
	t.Helper()
	pc, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	return &socket{t, pc}
}

func (s *socket) addr() netip.AddrPort { return s.pc.LocalAddr().(*net.UDPAddr).AddrPort() }

func (s *socket) send(l *Layer, text string) {
	s.t.Helper()
	if _, err := s.pc.WriteToUDPAddrPort([]byte(text), l.Addr(UDP)); err != nil {
		s.t.Fatal(err)
	}
}

// take is the next message, nil after d.
func (s *socket) take(d time.Duration) (sip.Message, netip.AddrPort) {
	s.t.Helper()
	buf := make([]byte, 65536)
	_ = s.pc.SetReadDeadline(time.Now().Add(d))
	n, from, err := s.pc.ReadFromUDPAddrPort(buf)
	if err != nil {
		return nil, from
	}
	m, err := sip.ParseMessage(buf[:n])
	if err != nil {
		s.t.Fatal(err)
	}
	return m, from
}

func (s *socket) status(d time.Duration) int {
	s.t.Helper()
	m, _ := s.take(d)
	if res, ok := m.(*sip.Response); ok {
		return res.StatusCode
	}
	return 0
}

// via is message with the socket's address in Via, so that answers come here.
func (s *socket) message(method, branch string) string {
	return strings.Replace(message(method, branch), "192.0.2.1:5060;", s.addr().String()+";rport;", 1)
}

func TestRequestOverEachTransport(t *testing.T) {
	t.Parallel()
	h := newHandler(status(200))
	a, b := startLayer(t, newHandler(nil)), startLayer(t, h)
	for _, transport := range []string{UDP, TCP} {
		ch, on := collect()
		if _, err := a.Send(request(sip.OPTIONS, b.Addr(transport).String()), to(b, transport), on); err != nil {
			t.Fatal(err)
		}
		got := h.take(t)
		if got.flow.Transport != transport || !got.flow.Alive() || !got.flow.Valid() {
			t.Errorf("flow %+v", got.flow)
		}
		if o := takeOutcome(t, ch); o.err != nil || o.res.StatusCode != 200 {
			t.Errorf("%s: %+v", transport, o)
		}
	}
}

func TestServerAnswersRepetitions(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	h := newHandler(func(s seen) { calls.Add(1); status(200)(s) })
	l := startLayer(t, h)
	s := newSocket(t)
	for range 3 {
		s.send(l, s.message("OPTIONS", "z9hG4bKrep"))
		if got := s.status(patience); got != 200 {
			t.Fatalf("status %d", got)
		}
	}
	// RFC 2543 branches are matched too.
	for range 2 {
		s.send(l, s.message("OPTIONS", "old"))
		if got := s.status(patience); got != 200 {
			t.Fatalf("status %d", got)
		}
	}
	if n := calls.Load(); n != 2 {
		t.Errorf("the handler was called %d times", n)
	}
	eventually(t, "transactions end", func() bool { return l.Counters().ServerTx == 0 })
}

// TestRepetitionIsAnsweredAlike: whatever is kept of a response, a repetition of the
// request gets the same bytes.
func TestRepetitionIsAnsweredAlike(t *testing.T) {
	t.Parallel()
	extra := func(s seen) *sip.Response { return NewResponse(s.req, 200, "OK", "tag") }
	for name, response := range map[string]func(s seen) *sip.Response{
		"plain":       extra,
		"phrase":      func(s seen) *sip.Response { return NewResponse(s.req, 481, "Call/Transaction Does Not Exist", "") },
		"no phrase":   func(s seen) *sip.Response { return NewResponse(s.req, 200, "", "tag") },
		"with header": func(s seen) *sip.Response { r := extra(s); r.AppendHeader(sip.NewHeader("Allow", "BYE")); return r },
		"with body":   func(s seen) *sip.Response { r := extra(s); r.SetBody([]byte("v=0\r\n")); return r },
	} {
		for _, to := range []string{"To: <sip:b@biloxi.example>\r\n", "To: <sip:b@biloxi.example>;tag=ours\r\n"} {
			l := startLayer(t, newHandler(func(s seen) { _ = s.tx.Respond(response(s)) }))
			s := newSocket(t)
			text := s.message("OPTIONS", "z9hG4bKalike")
			before, after, ok := strings.Cut(text, "\r\nTo: ")
			_, after, _ = strings.Cut(after, "\r\n")
			if !ok {
				t.Fatalf("no To in\n%s", text)
			}
			var answers []string
			for range 3 {
				s.send(l, before+"\r\n"+to+after)
				m, _ := s.take(patience)
				if m == nil {
					t.Fatalf("%s: no answer", name)
				}
				answers = append(answers, m.String())
			}
			if answers[1] != answers[0] || answers[2] != answers[0] {
				t.Errorf("%s: the answers are\n%s", name, strings.Join(answers, "\n"))
			}
		}
	}
}

func TestClientRepeatsAndGivesUp(t *testing.T) {
	t.Parallel()
	l := startLayer(t, newHandler(nil))
	for _, method := range []sip.RequestMethod{sip.OPTIONS, sip.INVITE} {
		s := newSocket(t)
		ch, on := collect()
		if _, err := l.Send(request(method, s.addr().String()), Dest{Transport: UDP, Addrs: []netip.AddrPort{s.addr()}}, on); err != nil {
			t.Fatal(err)
		}
		n := 0
		for ; ; n++ {
			m, _ := s.take(40 * testT1)
			if m == nil {
				break
			}
		}
		// INVITE: T1·(0 1 3 7 15 31 63); others T1·(0 1 3 7 15 23 … 63), RFC 3261 §17.1.
		if want := map[sip.RequestMethod]int{sip.OPTIONS: 11, sip.INVITE: 7}[method]; n < want-2 || n > want {
			t.Errorf("%s was sent %d times, want %d", method, n, want)
		}
		if o := takeOutcome(t, ch); !errors.Is(o.err, ErrTimeout) {
			t.Errorf("%s: %+v", method, o)
		}
	}
	if c := l.Counters(); c.ClientTx != 0 {
		t.Errorf("%+v", c)
	}
}

func TestRefusalIsRepeatedUntilAck(t *testing.T) {
	t.Parallel()
	h := newHandler(status(486))
	l := startLayer(t, h)
	s := newSocket(t)
	s.send(l, s.message("INVITE", "z9hG4bKref"))
	for range 3 {
		if got := s.status(patience); got != 486 {
			t.Fatalf("status %d", got)
		}
	}
	h.take(t)
	s.send(l, s.message("ACK", "z9hG4bKref"))
	eventually(t, "silence", func() bool { return s.status(12*testT1) == 0 })
	select {
	case got := <-h.got:
		t.Errorf("the ACK reached the handler: %s", got.req)
	default:
	}
	eventually(t, "transactions end", func() bool { return l.Counters().ServerTx == 0 })
}

func TestAnswerIsRepeatedUntilAcknowledged(t *testing.T) {
	t.Parallel()
	lost := make(chan struct{}, 1)
	h := newHandler(func(s seen) {
		if s.tx != nil {
			s.tx.OnUnacknowledged(func() { lost <- struct{}{} })
		}
		status(200)(s)
	})
	l := startLayer(t, h)
	s := newSocket(t)
	s.send(l, s.message("INVITE", "z9hG4bKans"))
	for range 3 {
		if got := s.status(patience); got != 200 {
			t.Fatalf("status %d", got)
		}
	}
	got := h.take(t)
	if err := got.tx.Respond(NewResponse(got.req, 486, "Busy", "t")); !errors.Is(err, ErrState) {
		t.Errorf("a second final response: %v", err)
	}
	got.tx.Acknowledged()
	eventually(t, "silence", func() bool { return s.status(12*testT1) == 0 })
	s.send(l, s.message("INVITE", "z9hG4bKans")) // late repetition: swallowed
	if got := s.status(4 * testT1); got != 0 {
		t.Errorf("status %d", got)
	}
	s.send(l, s.message("INVITE", "z9hG4bKlost"))
	select {
	case <-lost:
	case <-time.After(patience):
		t.Fatal("the missing ACK was not noticed")
	}
	eventually(t, "transactions end", func() bool { return l.Counters().ServerTx == 0 })
}

func TestDropIsSilent(t *testing.T) {
	t.Parallel()
	l := startLayer(t, newHandler(func(s seen) { s.tx.Drop() }))
	s := newSocket(t)
	s.send(l, s.message("INVITE", "z9hG4bKdrop"))
	if got := s.status(4 * testT1); got != 0 {
		t.Errorf("status %d", got)
	}
	if n := l.Counters().ServerTx; n != 0 {
		t.Errorf("%d transactions", n)
	}
}

// TestCancelReachesLateListeners, and only from the INVITE's own sender.
func TestCancel(t *testing.T) {
	t.Parallel()
	h := newHandler(nil)
	l := startLayer(t, h)
	s := newSocket(t)
	s.send(l, s.message("INVITE", "z9hG4bKcan"))
	inv := h.take(t)
	s.send(l, s.message("CANCEL", "z9hG4bKcan"))
	if got := s.status(patience); got != 200 {
		t.Fatalf("status %d", got)
	}
	canceled := make(chan struct{}, 2)
	inv.tx.OnCancel(func(*sip.Request) { canceled <- struct{}{} })
	select {
	case <-canceled:
	case <-time.After(patience):
		t.Fatal("a CANCEL before OnCancel was lost")
	}
	if err := inv.tx.Respond(NewResponse(inv.req, 487, "Request Terminated", "t")); err != nil {
		t.Error(err)
	}
	s.send(l, s.message("CANCEL", "z9hG4bKnone"))
	if got := h.take(t); got.req.Method != sip.CANCEL {
		t.Errorf("%s", got.req)
	}
}

func TestPanickingHandler(t *testing.T) {
	t.Parallel()
	l := startLayer(t, newHandler(func(seen) { panic("handler") }))
	s := newSocket(t)
	for i := range 3 {
		s.send(l, s.message("OPTIONS", fmt.Sprint("z9hG4bKpanic", i)))
		if got := s.status(patience); got != 500 {
			t.Fatalf("status %d", got)
		}
	}
	l.After(0, func() { panic("timer") })
	eventually(t, "panics counted", func() bool { return l.Counters().Panics == 4 })
}

// TestOrder: what a socket sends reaches the handler in that order.
func TestOrder(t *testing.T) {
	t.Parallel()
	const n = 200
	h := newHandler(status(200))
	l := startLayer(t, h)
	s := newSocket(t)
	for i := range n {
		s.send(l, strings.Replace(s.message("INFO", fmt.Sprint("z9hG4bKord", i)), "314159", fmt.Sprint(i+1), 1))
	}
	for i := range n {
		if got := h.take(t); int(got.req.CSeq().SeqNo) != i+1 {
			t.Fatalf("message %d came as %d", got.req.CSeq().SeqNo, i+1)
		}
	}
}

func TestTransactionLimit(t *testing.T) {
	t.Parallel()
	l, err := New(Config{}, newHandler(nil)) // never answers
	if err != nil {
		t.Fatal(err)
	}
	flow := Flow{Transport: UDP, Remote: netip.MustParseAddrPort("192.0.2.1:5060")}
	for i := range maxServerTx + 10 {
		l.Receive([]byte(message("OPTIONS", fmt.Sprint("z9hG4bKlim", i))), flow)
	}
	if c := l.Counters(); c.ServerTx != maxServerTx || c.Dropped != 10 {
		t.Errorf("%+v", c)
	}
}

func TestConnectionLimitAndSilentStrangers(t *testing.T) {
	t.Parallel()
	l := startLayer(t, newHandler(nil))
	var conns []net.Conn
	for range maxConnsPerIP + 5 {
		c, err := net.Dial("tcp", l.Addr(TCP).String())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	eventually(t, "five refused", func() bool { return l.Counters().ConnsRefused == 5 })
	eventually(t, "the silent ones closed", func() bool { return l.Counters().Conns == 0 })
	for _, c := range conns {
		_ = c.Close()
	}
}

// TestSlowLoris sends a byte now and then: neither a stranger nor a peer that has
// proven itself holds a connection open for longer than one that is silent.
func TestSlowLoris(t *testing.T) {
	t.Parallel()
	l := startLayer(t, newHandler(status(200)))
	for name, first := range map[string]string{"stranger": "", "pinging stranger": "\r\n\r\n", "peer": message("OPTIONS", "z9hG4bKloris")} {
		c, err := net.Dial("tcp", l.Addr(TCP).String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte(first)); err != nil {
			t.Fatal(err)
		}
		eventually(t, name+" is connected", func() bool { return l.Counters().Conns == 1 })
		pace := time.NewTicker(testT1)
		defer pace.Stop()
		began := time.Now()
		for i := 0; l.Counters().Conns > 0; i++ {
			<-pace.C
			if name == "pinging stranger" {
				_, _ = c.Write([]byte("\r\n\r\n"))
			} else {
				_, _ = c.Write([]byte("OPTIONS sip:"[i%12 : i%12+1]))
			}
			if time.Since(began) > patience {
				t.Fatalf("the connection of the %s is still there", name)
			}
		}
	}
}

// TestPeerThatDoesNotRead fills its connection's queue: the connection goes,
// nobody waits.
func TestPeerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	l := startLayer(t, newHandler(nil), func(c *Config) { c.T1 = time.Second })
	addr := netip.MustParseAddrPort(ln.Addr().String())
	ch, on := collect()
	_ = ch
	var failed error
	for i := 0; i < 4*maxOutQueue && failed == nil; i++ {
		req := request(sip.MESSAGE, addr.String())
		req.SetBody(make([]byte, 60000))
		_, failed = l.Send(req, Dest{Transport: TCP, Addrs: []netip.AddrPort{addr}}, func(res *sip.Response, f Flow, err error) {
			if i == 0 {
				on(res, f, err)
			}
		})
	}
	if !errors.Is(failed, ErrTransport) {
		t.Fatalf("send: %v", failed)
	}
	if o := takeOutcome(t, ch); !errors.Is(o.err, ErrTransport) {
		t.Errorf("%+v", o)
	}
}

// TestNextAddress goes on to the second address when the first refuses.
func TestNextAddress(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := netip.MustParseAddrPort(ln.Addr().String())
	_ = ln.Close()
	h := newHandler(status(200))
	a, b := startLayer(t, newHandler(nil)), startLayer(t, h)
	ch, on := collect()
	if _, err := a.Send(request(sip.OPTIONS, "x.example"), Dest{Transport: TCP, Addrs: []netip.AddrPort{dead, b.Addr(TCP)}}, on); err != nil {
		t.Fatal(err)
	}
	if o := takeOutcome(t, ch); o.err != nil || o.res.StatusCode != 200 {
		t.Errorf("%+v", o)
	}
	if n := len(h.take(t).req.GetHeaders("Via")); n != 1 {
		t.Errorf("%d Via", n)
	}
}

func TestSendWithoutAddressOrSocket(t *testing.T) {
	t.Parallel()
	l := startLayer(t, newHandler(nil))
	_, on := collect()
	for _, d := range []Dest{{}, {Transport: UDP}, {Transport: UDP, Addrs: []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::1]:5060")}}} {
		if _, err := l.Send(request(sip.OPTIONS, "x.example"), d, on); !errors.Is(err, ErrTransport) {
			t.Errorf("%+v: %v", d, err)
		}
	}
	if n := l.Counters().ClientTx; n != 0 {
		t.Errorf("%d transactions", n)
	}
}

func TestSentBy(t *testing.T) {
	t.Parallel()
	l := startLayer(t, newHandler(nil), func(c *Config) {
		c.UDP, c.TCP, c.External = []string{"127.0.0.1:0", "127.0.0.2:0"}, []string{"127.0.0.2:0"}, "box.example"
	})
	lo := netip.MustParseAddr("127.0.0.1")
	if host, port := l.SentBy(UDP, lo, Flow{}); host != "127.0.0.1" || port != l.udp[0].bound.Port() {
		t.Errorf("%s:%d", host, port)
	}
	if host, port := l.SentBy(TCP, lo, Flow{}); host != "127.0.0.2" || port != l.Addr(TCP).Port() {
		t.Errorf("%s:%d", host, port)
	}
	if host, port := l.SentBy(UDP, lo, Flow{Local: l.udp[1].bound}); host != "127.0.0.2" || port != l.udp[1].bound.Port() {
		t.Errorf("%s:%d", host, port)
	}
	if host, _ := l.SentBy(UDP, netip.MustParseAddr("198.51.100.1"), Flow{}); host != "box.example" {
		t.Errorf("towards the world %s", host)
	}
	if l.Addr(TLS).IsValid() || l.LocalFor(netip.Addr{}, netip.Addr{}).IsValid() {
		t.Error("an address out of nothing")
	}
}

func TestTimers(t *testing.T) {
	t.Parallel()
	ts := newTimers()
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() { defer close(ended); ts.run(done, func(f func()) { f() }) }()
	got := make(chan int, 10)
	for _, n := range []int{3, 1, 2} {
		ts.after(time.Duration(n)*10*time.Millisecond, func() { got <- n })
	}
	stopped := ts.after(15*time.Millisecond, func() { got <- 99 })
	stopped.Stop()
	stopped.Stop()
	(*Timer)(nil).Stop()
	for want := 1; want <= 3; want++ {
		if n := <-got; n != want {
			t.Errorf("timer %d fired, want %d", n, want)
		}
	}
	ts.after(time.Hour, func() {})
	close(done)
	<-ended
	ts.drop()
}

// TestRefusedConnection: a connection that was refused before the first message
// was queued still says why.
func TestRefusedConnection(t *testing.T) {
	l := startLayer(t, newHandler(func(seen) {}))
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := free.Addr().(*net.TCPAddr).AddrPort()
	_ = free.Close()
	c, err := l.connect(TCP, nobody, netip.Addr{}, "")
	if err != nil {
		t.Fatal(err)
	}
	<-c.done
	if err := c.send([]byte("OPTIONS")); !errors.Is(err, ErrTransport) || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after a refusal: %v", err)
	}
}
