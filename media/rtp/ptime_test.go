package rtp

import (
	"bytes"
	"testing"
	"time"

	"callbox/media"
	"callbox/media/codec"
)

// ramp fills a frame so that every sample of a run of frames is known.
func ramp(f *media.Frame, n int) {
	for k := range f {
		f[k] = int16((n*len(f)+k)*37%16000 - 8000)
	}
}

// TestPacketTimes sends packets of every length: what is written comes out whole,
// in packets of that length without a gap.
func TestPacketTimes(t *testing.T) {
	t.Parallel()
	for _, c := range []codec.Codec{codec.PCMU, codec.PCMA, codec.G722} {
		for ptime := 10; ptime <= maxPTime; ptime += 10 {
			p := Params{Codec: c, PayloadType: c.PayloadType, PTime: ptime}
			s, w := bare(t, alice, p, nil)
			want, e := []byte(nil), c.NewEncoder()
			var f media.Frame
			const frames = 60
			for i := range frames {
				ramp(&f, i)
				var b [media.FrameSamples]byte
				want = append(want, b[:e.Frame(b[:], &f)]...)
				s.send.write(&f, at(i*20))
			}
			sent := w.take()
			if len(sent) != frames*20/ptime {
				t.Fatalf("%v, %d ms: %d packets", c, ptime, len(sent))
			}
			checkRun(t, sent, uint32(ptime*8))
			var got []byte
			for i := range sent {
				if len(sent[i].Payload) != ptime*8 || sent[i].Marker != (i == 0) {
					t.Fatalf("%v, %d ms: packet %d has %d bytes, marker %v", c, ptime, i, len(sent[i].Payload), sent[i].Marker)
				}
				got = append(got, sent[i].Payload...)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%v, %d ms: another sound comes out", c, ptime)
			}
		}
	}
}

// TestPacketTimeGaps: what waits for a full packet is not lost when a pause, an
// event or another packet time comes in between.
func TestPacketTimeGaps(t *testing.T) {
	t.Parallel()
	p := pcmu()
	p.PTime = 60
	s, w := bare(t, alice, p, nil)
	var f media.Frame
	for i := range 5 { // 100 ms: a packet, and 40 ms that wait
		s.ReadFrame(&f)
		s.send.write(&f, at(i*20))
	}
	for range 3 {
		s.ReadFrame(&f)
	}
	for i := range 3 {
		s.ReadFrame(&f)
		s.send.write(&f, at((8+i)*20))
	}
	sent := w.take()
	if len(sent) != 3 || len(sent[0].Payload) != 480 || len(sent[1].Payload) != 320 || len(sent[2].Payload) != 480 {
		t.Fatalf("%d packets around a pause", len(sent))
	}
	if sent[1].Timestamp != sent[0].Timestamp+480 || sent[2].Timestamp != sent[0].Timestamp+8*160 {
		t.Errorf("timestamps +%d, +%d", sent[1].Timestamp-sent[0].Timestamp, sent[2].Timestamp-sent[0].Timestamp)
	}

	s.send.write(&f, at(11*20))
	if _, err := s.send.startEvent(5, 40*time.Millisecond, at(12*20)); err != nil {
		t.Fatal(err)
	}
	s.send.write(&f, at(12*20))
	sent = w.take()
	if len(sent) != 2 || len(sent[0].Payload) != 160 || sent[1].PayloadType != 101 || sent[1].Timestamp != sent[0].Timestamp+160 {
		t.Errorf("%d packets around the start of an event", len(sent))
	}
}

// TestPacketTimeChanges in a re-INVITE: packets have the new length at once.
func TestPacketTimeChanges(t *testing.T) {
	t.Parallel()
	p := pcmu()
	p.PTime = 40
	s, w := bare(t, alice, p, nil)
	var f media.Frame
	s.send.write(&f, at(0))
	p.PTime = 20
	if err := s.Start(Remote{RTP: alice}, p); err != nil {
		t.Fatal(err)
	}
	s.send.write(&f, at(20))
	if sent := w.take(); len(sent) != 1 || len(sent[0].Payload) != 160 {
		t.Errorf("%d packets", len(sent))
	}
}

// TestRepacketise takes packets of one length and sends the sound in another,
// through the decoded path: the streams do not relay.
func TestRepacketise(t *testing.T) {
	t.Parallel()
	for _, in := range []int{10, 20, 30, 40, 60, 120} {
		for _, out := range []int{10, 20, 30, 60} {
			pa, pb := pcmu(), pcmu()
			pa.PTime, pb.PTime = min(in, maxPTime), out
			a, _ := bare(t, alice, pa, nil)
			b, w := bare(t, bob, pb, nil)
			if got := a.RelayTo(b); got != (min(in, maxPTime) == out) {
				t.Fatalf("%d to %d ms: relays %v", in, out, got)
			}
			a.StopRelay()
			far := &talker{ssrc: 7, c: codec.PCMU}
			said := make([]int16, media.SampleRate*8)
			for i := range said {
				said[i] = int16(i * 37 % 16000)
			}
			var f media.Frame
			a.read(&f, at(0))
			for ms := 0; ms < 7200; ms += 10 {
				if ms%in == 0 {
					a.handle(far.packet(said[ms*8:(ms+in)*8], ms == 0), alice, at(ms))
				}
				if ms%20 == 0 {
					if !a.read(&f, at(ms)) {
						f.Clear()
					}
					b.send.write(&f, at(ms))
				}
			}
			var heard []byte
			for _, p := range w.take() {
				if len(p.Payload) != out*8 {
					t.Fatalf("%d to %d ms: a packet of %d bytes", in, out, len(p.Payload))
				}
				heard = append(heard, p.Payload...)
			}
			// By then the jitter buffer has found its length.
			second := make([]byte, media.SampleRate)
			codec.PCMU.Encode(second, said[5*media.SampleRate:])
			if !bytes.Contains(heard, second) {
				t.Errorf("%d to %d ms: what was said is not heard", in, out)
			}
		}
	}
}

func TestPacketTimeNoAllocations(t *testing.T) { // not parallel: it counts allocations
	for ptime := 10; ptime <= maxPTime; ptime += 10 {
		p := pcmu()
		p.PTime = ptime
		s, w := bare(t, alice, p, nil)
		w.mute = true
		var f media.Frame
		n := 0
		if allocs := testing.AllocsPerRun(300, func() {
			s.send.write(&f, at(n*20))
			n++
		}); allocs != 0 {
			t.Errorf("%d ms: %v allocations per frame", ptime, allocs)
		}
	}
}
