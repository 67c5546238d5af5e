package rtp

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"go.uber.org/goleak"

	"callbox/media"
	"callbox/media/codec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start is the moment at which the tests without sockets begin.
var start = time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)

var (
	alice   = netip.MustParseAddrPort("192.0.2.1:4000")
	bob     = netip.MustParseAddrPort("192.0.2.2:5000")
	mallory = netip.MustParseAddrPort("203.0.113.9:6666")
)

// wire takes what a stream sends.
type wire struct {
	mu      sync.Mutex
	packets []rtp.Packet
	raw     [][]byte
	to      []netip.AddrPort
	mute    bool // count nothing, for allocation tests
}

func (w *wire) sendFrom(netip.Addr) {}

func (w *wire) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if w.mute {
		return len(b), nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	c := append([]byte(nil), b...)
	var p rtp.Packet
	if err := p.Unmarshal(c); err == nil {
		w.packets = append(w.packets, p)
	}
	w.raw = append(w.raw, c)
	w.to = append(w.to, to)
	return len(b), nil
}

// take gives the packets sent since the last call.
func (w *wire) take() []rtp.Packet {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.packets
	w.packets, w.raw, w.to = nil, nil, nil
	return p
}

// bare makes a stream without sockets, started towards remote.
func bare(t testing.TB, remote netip.AddrPort, p Params, onDigit func(byte)) (*Stream, *wire) {
	t.Helper()
	w := &wire{}
	s := newStream(Config{Pool: new(PortPool), OnDigit: onDigit}, w, start)
	if err := s.Start(Remote{RTP: remote}, p); err != nil {
		t.Fatal(err)
	}
	return s, w
}

func pcmu() Params { return Params{Codec: codec.PCMU, EventPT: 101} }
func pcma() Params { return Params{Codec: codec.PCMA, PayloadType: 8, EventPT: 101} }

// talker makes the packets of a far end.
type talker struct {
	ssrc uint32
	seq  uint16
	ts   uint32
	pt   uint8
	c    codec.Codec
}

// packet makes the next packet of n samples.
func (k *talker) packet(samples []int16, marker bool) []byte {
	b := make([]byte, len(samples))
	k.c.Encode(b, samples)
	return k.raw(b, k.pt, k.ts, marker, uint32(len(samples)))
}

func (k *talker) raw(payload []byte, pt uint8, ts uint32, marker bool, advance uint32) []byte {
	p := rtp.Packet{Header: rtp.Header{
		Version: 2, Marker: marker, PayloadType: pt, SequenceNumber: k.seq, Timestamp: ts, SSRC: k.ssrc,
	}, Payload: payload}
	k.seq++
	k.ts += advance
	b, err := p.Marshal()
	if err != nil {
		panic(err) // a test that makes impossible packets
	}
	return b
}

// event makes a packet of a telephone event that began at ts.
func (k *talker) event(code byte, ts uint32, duration uint32, end, marker bool) []byte {
	var b [eventBytes]byte
	putEvent(b[:], code, end, duration)
	return k.raw(b[:], 101, ts, marker, 0)
}

// at is n ms after start.
func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

func peak(f *media.Frame) int {
	p := 0
	for _, s := range f {
		p = max(p, int(s), -int(s))
	}
	return p
}
