package rtp

import (
	"bytes"
	"testing"
	"time"

	"callbox/media"
	"callbox/media/codec"
	"callbox/media/srtp"
)

// secure gives the two ends of a protected stream.
func secure(t testing.TB, s srtp.Suite) (near, far Security) {
	t.Helper()
	var c [4]*srtp.Cipher
	for i := 0; i < 4; i += 2 {
		k, err := srtp.NewKeys(s)
		if err != nil {
			t.Fatal(err)
		}
		for j := range 2 {
			if c[i+j], err = srtp.NewCipher(k); err != nil {
				t.Fatal(err)
			}
		}
	}
	return Security{In: c[0], Out: c[2]}, Security{In: c[3], Out: c[1]}
}

func with(p Params, s Security) Params {
	p.Security = s
	return p
}

// TestSecureBothWays sends protected sound and reports over real sockets.
func TestSecureBothWays(t *testing.T) {
	t.Parallel()
	for _, suite := range []srtp.Suite{srtp.AES128Tag80, srtp.AES256GCM} {
		t.Run(string(suite), func(t *testing.T) {
			t.Parallel()
			pool := newPool(t, PoolConfig{Bind: loopback})
			a, b := listen(t, pool, nil), listen(t, pool, nil)
			sa, sb := secure(t, suite)
			begin(t, a, b, with(pcmu(), sa))
			begin(t, b, a, with(pcmu(), sb))
			said := noise(8000*2, 1)
			hears(t, func() (time.Duration, []heardAs) {
				var heard []int16
				longest := run(t, 100, func(i int) {
					var f media.Frame
					if !b.ReadFrame(&f) {
						f = media.Frame{}
					}
					heard = append(heard, f[:]...)
					copy(f[:], said[i*160:])
					a.WriteFrame(&f)
				})
				return longest, []heardAs{{said, heard}}
			})
			a.goodbye(a.LastPacket())
			eventually(t, "a report", func() bool { return b.Quality().ReportsIn > 0 })
			if st, q := b.Stats(), b.Quality(); st.Refused != 0 || q.Malformed != 0 {
				t.Errorf("%+v, %+v", st, q)
			}
		})
	}
}

// TestNothingInTheClear gives a protected stream what is not for it: sound in
// the clear, under other keys, and twice. Nothing of it is heard, and none of it
// moves where we send.
func TestNothingInTheClear(t *testing.T) {
	t.Parallel()
	near, far := secure(t, srtp.AES128Tag80)
	_, stranger := secure(t, srtp.AES128Tag80)
	s, w := bare(t, alice, with(pcmu(), near), nil)
	k := talker{ssrc: 5, c: codec.PCMU}
	seal := func(c Cipher, b []byte) []byte {
		out, err := c.Seal(nil, b)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	plain := k.packet(make([]int16, 160), false)
	good := seal(far.Out, plain)
	s.handle(bytes.Clone(plain), bob, at(0))
	s.handle(seal(stranger.Out, plain), bob, at(1))
	if st := s.Stats(); st.PacketsIn != 0 || s.RemoteAddr() != alice || s.Stats().Refused != 2 {
		t.Errorf("%+v, %+v, sends to %v", st, s.Quality(), s.RemoteAddr())
	}
	s.handle(bytes.Clone(good), bob, at(2)) // the far end is behind a translator
	s.handle(bytes.Clone(good), bob, at(3))
	if st := s.Stats(); st.PacketsIn != 1 || s.RemoteAddr() != bob || s.Stats().Refused != 3 {
		t.Errorf("%+v, %+v, sends to %v", st, s.Quality(), s.RemoteAddr())
	}
	s.handle([]byte{0x80, 200, 0, 1, 0, 0, 0, 5}, bob, at(4)) // a report in the clear
	if q := s.Quality(); q.ReportsIn != 0 || s.Stats().Refused != 4 {
		t.Errorf("%+v", q)
	}
	var f media.Frame
	s.WriteFrame(&f)
	if len(w.raw) != 1 || len(w.raw[0]) != headerBytes+160+10 {
		t.Fatalf("sent %d packets: %x", len(w.raw), w.raw)
	}
	if _, err := far.In.Open(nil, w.raw[0]); err != nil {
		t.Errorf("the far end cannot open it: %v", err)
	}
	if err := s.Start(Remote{RTP: alice}, with(pcmu(), Security{In: near.In})); err == nil {
		t.Error("protected one way only")
	}
}

// TestRelayBetweenSecureAndPlain relays undecoded although one side is protected
// and the other not.
func TestRelayBetweenSecureAndPlain(t *testing.T) {
	near, far := secure(t, srtp.AES128Tag80)
	a, b, wa, wb := couple(t, with(pcmu(), near), pcmu(), nil)
	k, l := talker{ssrc: 5, c: codec.PCMU}, talker{ssrc: 6, c: codec.PCMU}
	said := noise(160, 1)
	plain := k.packet(said, false)
	sealed, err := far.Out.Seal(nil, plain)
	if err != nil {
		t.Fatal(err)
	}
	a.handle(sealed, alice, at(0))
	got := wb.take()
	if len(got) != 1 || !bytes.Equal(got[0].Payload, plain[headerBytes:]) {
		t.Fatalf("in the clear: %+v", got)
	}
	plain = l.packet(said, false)
	b.handle(bytes.Clone(plain), bob, at(1))
	if len(wa.raw) != 1 {
		t.Fatalf("%d packets to the protected side", len(wa.raw))
	}
	opened, err := far.In.Open(nil, wa.raw[0])
	if err != nil || !bytes.Equal(opened[headerBytes:], plain[headerBytes:]) {
		t.Errorf("protected: %x, %v", opened, err)
	}
	wa.mute, wb.mute = true, true
	buf := make([]byte, 0, maxDatagram)
	seq := uint16(100)
	if n := testing.AllocsPerRun(500, func() {
		plain[1], plain[2], plain[3] = 0, byte(seq>>8), byte(seq)
		seq++
		b.handle(plain, bob, at(int(seq)*20))
		plain[8] = 7 // the relay wrote its header over ours
		out, err := far.Out.Seal(buf, plain)
		if err != nil {
			t.Fatal(err)
		}
		a.handle(out, alice, at(int(seq)*20))
	}); n != 0 && !racing {
		t.Errorf("%v allocations per relayed packet", n)
	}
}
