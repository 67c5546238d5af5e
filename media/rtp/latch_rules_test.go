package rtp

import (
	"net/netip"
	"testing"

	"callbox/media/codec"

	"github.com/pion/rtcp"
)

// TestLatchRules walks the rule of the package comment: who is believed in each
// situation, and where the sound goes after it. alice is in the session description.
func TestLatchRules(t *testing.T) {
	t.Parallel()
	aliceElsewhere := netip.AddrPortFrom(alice.Addr(), alice.Port()+2)
	type packet struct {
		from netip.AddrPort
		at   int // ms
		want bool
	}
	run := func(from netip.AddrPort, begin, n int, want bool) (out []packet) {
		for i := range n {
			out = append(out, packet{from, begin + 20*i, want})
		}
		return out
	}
	for name, tt := range map[string]struct {
		packets []packet
		to      netip.AddrPort
	}{
		"nobody has spoken":             {nil, alice},
		"the first one decides":         {run(bob, 0, 1, true), bob},
		"and stays while it speaks":     {append(run(bob, 0, 5, true), run(mallory, 10, 400, false)[:5]...), bob},
		"the one in the SDP wins":       {append(run(bob, 0, 3, true), run(alice, 60, 1, true)...), alice},
		"and keeps it":                  {append(run(alice, 0, 3, true), run(bob, 60, 20, false)...), alice},
		"another port of its host":      {append(run(alice, 0, 3, true), run(aliceElsewhere, 60, 20, false)...), alice},
		"silence for less than 2 s":     {append(run(alice, 0, 1, true), run(bob, 1899, 5, false)...), alice},
		"four after 2 s":                {append(run(alice, 0, 1, true), run(bob, 2000, 4, false)...), alice},
		"five after 2 s":                {append(run(alice, 0, 1, true), append(run(bob, 2000, 4, false), packet{bob, 2080, true})...), bob},
		"five, of which one came early": {append(run(alice, 0, 1, true), append(run(bob, 1990, 1, false), append(run(bob, 2010, 3, false), packet{bob, 2070, false}, packet{bob, 2090, true})...)...), bob},
		"five of two in turns": {append(run(alice, 0, 1, true), packet{bob, 2000, false}, packet{mallory, 2010, false}, packet{bob, 2020, false},
			packet{mallory, 2030, false}, packet{bob, 2040, false}, packet{mallory, 2050, false}), alice},
		"the old one speaks in between": {append(run(alice, 0, 1, true), append(run(bob, 2000, 3, false), append(run(alice, 2060, 1, true), run(bob, 2080, 8, false)...)...)...), alice},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var l latch
			l.negotiate(alice)
			strangers := uint64(0)
			for _, p := range tt.packets {
				if got := l.admit(p.from, at(p.at)); got != p.want {
					t.Errorf("%v at %d ms: believed %v, want %v", p.from, p.at, got, p.want)
				}
				if !p.want {
					strangers++
				}
			}
			if l.target() != tt.to || l.bad != strangers {
				t.Errorf("the sound goes to %v, want %v; %d strangers, want %d", l.target(), tt.to, l.bad, strangers)
			}
		})
	}
}

// TestMultiplexedReports: reports on the port of the sound, which nobody offered, are
// understood and answered there (RFC 5761 §4); they neither move the latch nor count
// as sound.
func TestMultiplexedReports(t *testing.T) {
	t.Parallel()
	s, w := reports(t)
	k := talker{ssrc: 1, c: codec.PCMU}
	s.handle(k.packet(make([]int16, 160), false), bob, at(0)) // behind a NAT
	rr, err := (&rtcp.ReceiverReport{SSRC: 1}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s.handle(append([]byte(nil), rr...), bob, at(20))
	if q := s.Quality(); q.ReportsIn != 1 || s.latch.cur != bob || s.Stats().PacketsIn != 1 {
		t.Errorf("%+v, latched to %v, %d packets", q, s.latch.cur, s.Stats().PacketsIn)
	}
	s.sendReport(at(40), false)
	if len(w.to) != 1 || w.to[0] != bob {
		t.Errorf("the report goes to %v, want %v", w.to, bob)
	}
	// A report is no sound: it proves nobody after a silence.
	for i := range 10 {
		s.handle(append([]byte(nil), rr...), mallory, at(3000+20*i))
	}
	if s.latch.cur != bob || s.Quality().Strangers != 10 {
		t.Errorf("latched to %v, %d strangers", s.latch.cur, s.Quality().Strangers)
	}
}
