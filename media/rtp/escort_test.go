package rtp

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"callbox/media"
	"callbox/media/codec"
	"callbox/media/srtp"
)

// last is where the last packet went.
func (w *wire) last() netip.AddrPort {
	if len(w.to) == 0 {
		return netip.AddrPort{}
	}
	return w.to[len(w.to)-1]
}

// guide is an Escort that remembers what it was given.
type guide struct{ took [][]byte }

func (g *guide) Take(b []byte, _ netip.AddrPort, _ time.Time) {
	g.took = append(g.took, bytes.Clone(b))
}

// TestEscort: what is not RTP goes to the escort, which alone says where to send.
func TestEscort(t *testing.T) {
	t.Parallel()
	near, far := secure(t, srtp.AES128GCM)
	g := &guide{}
	p := with(pcmu(), near)
	p.Escort = g
	s, w := bare(t, netip.AddrPort{}, p, nil)
	for _, b := range [][]byte{{0, 1, 0, 0}, {22, 0xfe, 0xfd}, {22, 200}, {64}, {}} {
		s.handle(bytes.Clone(b), bob, at(0))
	}
	if len(g.took) != 5 || g.took[2][1] != 200 || s.Quality().Malformed != 0 {
		t.Errorf("the escort got %x", g.took)
	}
	var f media.Frame
	s.WriteFrame(&f)
	k := talker{ssrc: 5, c: codec.PCMU}
	sealed, err := far.Out.Seal(nil, k.packet(make([]int16, 160), false))
	if err != nil {
		t.Fatal(err)
	}
	s.handle(sealed, bob, at(1))
	s.WriteFrame(&f)
	if len(w.raw) != 0 || s.Stats().PacketsIn != 1 || s.RemoteAddr().IsValid() {
		t.Errorf("%d packets sent to %v before there is a way", len(w.raw), s.RemoteAddr())
	}
	s.Aim(alice)
	s.WriteFrame(&f)
	if len(w.raw) != 1 || s.RemoteAddr() != alice || w.last() != alice {
		t.Fatalf("%d packets sent to %v", len(w.raw), s.RemoteAddr())
	}
	// Sound from elsewhere is believed, because it is signed, and moves nothing.
	sealed, _ = far.Out.Seal(nil, k.packet(make([]int16, 160), false))
	s.handle(sealed, netip.MustParseAddrPort("198.51.100.99:9"), at(2))
	if s.Stats().PacketsIn != 2 || s.RemoteAddr() != alice {
		t.Errorf("%+v, sends to %v", s.Stats(), s.RemoteAddr())
	}
	// Reports travel on the same port, both ways.
	report, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 5}})
	if err != nil {
		t.Fatal(err)
	}
	sealed, _ = far.Out.SealReport(nil, report)
	s.handle(sealed, bob, at(3))
	s.mu.Lock()
	s.rtcp.conn = w // any: it must not be used
	s.sendReport(at(4), false)
	s.mu.Unlock()
	if q := s.Quality(); q.ReportsIn != 1 || q.ReportsOut != 1 || w.last() != alice || len(w.raw) != 2 {
		t.Errorf("%+v, to %v", q, w.last())
	}
	// A re-INVITE keeps the way, and so does another payload type.
	if err := s.Start(Remote{}, p); err != nil || s.RemoteAddr() != alice {
		t.Errorf("%v, sends to %v", err, s.RemoteAddr())
	}
	s.WriteFrame(&f)
	if len(w.raw) != 3 || w.last() != alice {
		t.Errorf("%d packets sent to %v", len(w.raw), w.last())
	}
	if err := s.Send([]byte{0}, bob); err != nil || w.last() != bob {
		t.Errorf("the escort's datagram went to %v, %v", w.last(), err)
	}
	if s.Start(Remote{}, Params{Codec: codec.PCMU, Escort: g}) == nil {
		t.Error("an escort without keys")
	}
	plain, _ := bare(t, alice, pcmu(), nil)
	plain.handle([]byte{0, 1, 0, 0}, bob, at(0))
	if plain.Quality().Malformed != 1 {
		t.Error("STUN without an escort is not counted")
	}
}
