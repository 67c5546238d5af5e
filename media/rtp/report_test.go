package rtp

import (
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"callbox/media"
	"callbox/media/codec"
)

// reports gives a started stream without sockets whose RTCP goes to a wire.
func reports(t *testing.T) (*Stream, *wire) {
	t.Helper()
	s, _ := bare(t, alice, pcmu(), nil)
	w := &wire{}
	s.rtcp.conn = w
	return s, w
}

// last parses the last report on a wire.
func last(t *testing.T, w *wire) []rtcp.Packet {
	t.Helper()
	if len(w.raw) == 0 {
		t.Fatal("no report")
	}
	p, err := rtcp.Unmarshal(w.raw[len(w.raw)-1])
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestReportKinds(t *testing.T) {
	t.Parallel()
	s, w := reports(t)
	s.sendReport(at(0), false)
	p := last(t, w)
	if rr, ok := p[0].(*rtcp.ReceiverReport); !ok || len(rr.Reports) != 0 || rr.SSRC != s.send.ssrc {
		t.Errorf("before anything: %v", p[0])
	}
	if sdes, ok := p[1].(*rtcp.SourceDescription); !ok || sdes.Chunks[0].Items[0].Text != s.cname || len(s.cname) != 16 {
		t.Errorf("no name: %v", p[1])
	}
	var f media.Frame
	for i := range 50 {
		s.send.write(&f, at(i*20))
	}
	k := talker{ssrc: 77, seq: 65530, c: codec.PCMU}
	for i := range 20 {
		raw := k.packet(make([]int16, 160), false)
		if i%5 != 4 {
			s.handle(raw, alice, at(i*20))
		}
	}
	s.sendReport(at(1000), false)
	p = last(t, w)
	sr, ok := p[0].(*rtcp.SenderReport)
	if !ok || sr.PacketCount != 50 || sr.OctetCount != 8000 || len(sr.Reports) != 1 {
		t.Fatalf("after sending: %v", p[0])
	}
	// The NTP second of the start, and the timestamp of the 50th frame.
	if sec := sr.NTPTime >> 32; sec != uint64(start.Unix()+1+ntpOffset) {
		t.Errorf("NTP second %d", sec)
	}
	if d := sr.RTPTime - s.send.anchorTS; d != 8000 {
		t.Errorf("RTP time +%d", d)
	}
	r := sr.Reports[0]
	if r.SSRC != 77 || r.TotalLost != 3 || r.LastSequenceNumber != 1<<16+12 || r.FractionLost < 35 || r.LastSenderReport != 0 {
		t.Errorf("%+v", r)
	}
	s.goodbye(at(1100))
	p = last(t, w)
	if bye, ok := p[len(p)-1].(*rtcp.Goodbye); !ok || bye.Sources[0] != s.send.ssrc {
		t.Errorf("no goodbye: %v", p)
	}
	if _, ok := p[0].(*rtcp.ReceiverReport); !ok {
		t.Errorf("nothing was sent since the last report: %v", p[0])
	}
	if w.to[0] != netip.AddrPortFrom(alice.Addr(), alice.Port()+1) {
		t.Errorf("sent to %v", w.to[0])
	}
}

// TestReportRoundTrip lets two streams report to each other over a path of 30 ms
// each way.
func TestReportRoundTrip(t *testing.T) {
	t.Parallel()
	a, wa := reports(t)
	b, wb := reports(t)
	var f media.Frame
	a.send.write(&f, at(0))
	b.handle(rawOf(t, a), alice, at(30))
	a.sendReport(at(100), false)
	b.handle(wa.raw[0], alice, at(130))
	b.sendReport(at(1130), false) // a second later
	a.handle(wb.raw[0], alice, at(1160))
	if rtt := a.Stats().RTT; rtt < 59*time.Millisecond || rtt > 61*time.Millisecond {
		t.Errorf("round trip %v", rtt)
	}
	if q := a.Quality(); q.ReportsIn != 1 || q.ReportsOut != 1 || a.Stats().RemoteLost != 0 {
		t.Errorf("%+v", q)
	}
	// A report with times from nowhere changes nothing.
	bad := &rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{
		SSRC: a.send.ssrc, TotalLost: 9, Jitter: 80, LastSenderReport: 1, Delay: 1,
	}}}
	raw, err := bad.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	a.handle(raw, alice, at(1200))
	if q := a.Stats(); q.RTT > 61*time.Millisecond || q.RemoteLost != 9 || q.RemoteJitter != 10*time.Millisecond {
		t.Errorf("%+v", q)
	}
}

// rawOf is the last packet that s has sent.
func rawOf(t *testing.T, s *Stream) []byte {
	t.Helper()
	w, ok := s.send.conn.(*wire)
	if !ok || len(w.raw) == 0 {
		t.Fatal("nothing was sent")
	}
	return append([]byte(nil), w.raw[len(w.raw)-1]...)
}

func TestReportStrangers(t *testing.T) {
	t.Parallel()
	s, w := reports(t)
	rr, err := (&rtcp.ReceiverReport{SSRC: 1}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s.handle(append([]byte(nil), rr...), mallory, at(0))
	if q := s.Quality(); q.ReportsIn != 0 || q.Strangers != 1 {
		t.Errorf("%+v", q)
	}
	// From another port of the far end: that is where reports go from now on.
	natted := netip.AddrPortFrom(alice.Addr(), 7777)
	s.handle(append([]byte(nil), rr...), natted, at(0))
	s.sendReport(at(10), false)
	if w.to[0] != natted {
		t.Errorf("sent to %v", w.to[0])
	}
	s.handle([]byte{0x80, 200, 0, 99, 1, 2, 3, 4}, alice, at(0))
	if q := s.Quality(); q.Malformed != 1 {
		t.Errorf("%+v", q)
	}
}

func TestReportTarget(t *testing.T) {
	t.Parallel()
	s, _ := reports(t)
	explicit := netip.MustParseAddrPort("192.0.2.1:9000")
	if err := s.Start(Remote{RTP: alice, RTCP: explicit}, pcmu()); err != nil {
		t.Fatal(err)
	}
	if got := s.rtcpTarget(); got != explicit {
		t.Errorf("negotiated: %v", got)
	}
	k := talker{ssrc: 1, c: codec.PCMU}
	s.handle(k.packet(make([]int16, 160), false), bob, at(0))
	if got, want := s.rtcpTarget(), netip.AddrPortFrom(bob.Addr(), bob.Port()+1); got != want {
		t.Errorf("latched: %v, want %v", got, want)
	}
}

// TestReportSockets waits for a report over real sockets, and for the goodbye.
func TestReportSockets(t *testing.T) {
	t.Parallel()
	pool := newPool(t, PoolConfig{Bind: loopback})
	s := listen(t, pool, nil)
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: loopback.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	far := c.LocalAddr().(*net.UDPAddr).AddrPort()
	if err := s.Start(Remote{RTP: netip.AddrPortFrom(loopback, 9), RTCP: far}, pcmu()); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.rtcp.due = time.Now()
	s.mu.Unlock()
	b := make([]byte, maxDatagram)
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := rtcp.Unmarshal(b[:n]); err != nil || len(p) != 2 {
		t.Fatalf("%v, %v", p, err)
	}
	rr, err := (&rtcp.ReceiverReport{SSRC: 1}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.WriteToUDPAddrPort(rr, netip.AddrPortFrom(loopback, s.LocalPort()+1)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the report is read", func() bool { return s.Quality().ReportsIn == 1 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err = c.Read(b); err != nil {
		t.Fatal(err)
	}
	p, err := rtcp.Unmarshal(b[:n])
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := p[len(p)-1].(*rtcp.Goodbye); !ok {
		t.Errorf("no goodbye: %v", p)
	}
}

func TestKernelAge(t *testing.T) { // not parallel: it counts allocations
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: loopback.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	stampArrivals(raw)
	r := newRawReader()
	if r.read(raw) {
		t.Fatal("read something from nowhere")
	}
	// The kernel begins to stamp a little after it was asked to. An emulator of
	// another processor passes no stamps on: then no age may be made up.
	_, emulated := os.LookupEnv("CALLBOX_TEST_RUNNER")
	eventually(t, "a datagram of the right age", func() bool {
		if _, err := c.WriteToUDPAddrPort([]byte("hello"), c.LocalAddr().(*net.UDPAddr).AddrPort()); err != nil {
			t.Fatal(err)
		}
		<-time.After(50 * time.Millisecond)
		if !r.read(raw) || string(r.buf[:r.n]) != "hello" || r.from != c.LocalAddr().(*net.UDPAddr).AddrPort() {
			t.Fatalf("%q from %v", r.buf[:r.n], r.from)
		}
		return r.age > 45*time.Millisecond && r.age < 800*time.Millisecond || emulated && r.age == 0
	})
	if kernelAge([]byte{1, 2, 3}, time.Now()) != 0 || kernelAge(nil, time.Now()) != 0 {
		t.Error("an age from nothing")
	}
	if n := testing.AllocsPerRun(100, func() { r.read(raw) }); n != 0 {
		t.Errorf("%v allocations per empty read", n)
	}
}
