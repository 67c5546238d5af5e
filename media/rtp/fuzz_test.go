package rtp

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/pion/rtcp"

	"callbox/media"
	"callbox/media/codec"
)

// FuzzDatagram gives anything to a stream, as RTP and as RTCP, on both paths.
// Nothing may panic, and the buffer stays within its bounds.
func FuzzDatagram(f *testing.F) {
	k := talker{ssrc: 1, seq: 65535, ts: 0xFFFFFFF0, c: codec.PCMU}
	f.Add(k.packet(make([]int16, 160), true), uint8(0))
	f.Add(k.packet(make([]int16, 480), false), uint8(1))
	f.Add(k.event(5, 100, 160, true, true), uint8(2))
	f.Add([]byte{0x80}, uint8(0))
	f.Add([]byte{0xBF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, uint8(1))
	f.Add([]byte{0xB0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0xBE, 0xDE, 0xFF, 0xFF, 0x10}, uint8(2))
	sr, err := rtcp.Marshal([]rtcp.Packet{
		&rtcp.SenderReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: 2}}},
		rtcp.NewCNAMESourceDescription(1, "alice"), &rtcp.Goodbye{Sources: []uint32{1}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sr, uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, mode uint8) {
		s, w := bare(t, alice, pcmu(), func(byte) {})
		peer, _ := bare(t, bob, pcmu(), nil)
		w.mute = true
		var frame media.Frame
		s.ReadFrame(&frame)
		good := talker{ssrc: 1, c: codec.PCMU}
		for i := range 4 {
			if mode&1 != 0 && i == 2 {
				s.RelayTo(peer)
			}
			s.handle(append([]byte(nil), b...), alice, at(i*20))
			if mode&2 != 0 {
				s.handle(good.packet(make([]int16, 160), false), alice, at(i*20))
			}
			s.ReadFrame(&frame)
			if s.jb != nil && (s.jb.level() < 0 || s.jb.level() > ringSamples) {
				t.Fatalf("the buffer holds %d", s.jb.level())
			}
		}
		s.Stats()
		s.Quality()
	})
}

// FuzzPacketStream reads a whole history of packets from the input.
func FuzzPacketStream(f *testing.F) {
	f.Add([]byte{0, 1, 20, 160, 1, 1, 20, 160, 2, 1, 20, 160})
	f.Add([]byte{255, 255, 255, 255, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, w := bare(t, alice, pcmu(), nil)
		w.mute = true
		var frame media.Frame
		s.ReadFrame(&frame)
		k := talker{ssrc: 1, c: codec.PCMU}
		ms := 0
		for ; len(b) >= 4; b = b[4:] {
			k.seq += uint16(int8(b[0]))
			k.ts += uint32(int32(int8(b[1])) * 160)
			k.ssrc = uint32(b[1] >> 6)
			ms += int(b[2])
			n := int(b[3]) * 4
			s.handle(k.packet(make([]int16, n), b[0]&1 != 0), netip.AddrPortFrom(alice.Addr(), alice.Port()), at(ms))
			s.ReadFrame(&frame)
			if s.jb != nil && (s.jb.level() < 0 || s.jb.level() > bufferCap+maxPayload) {
				t.Fatalf("the buffer holds %d", s.jb.level())
			}
		}
	})
}

// FuzzConceal gives any sound and any pattern of losses to the concealment. Nothing
// may panic, and a loss ends in silence after 60 ms.
func FuzzConceal(f *testing.F) {
	voice := func(hz float64) []byte {
		var b []byte
		for _, v := range vowel(0, 480, hz) {
			b = binary.LittleEndian.AppendUint16(b, uint16(v))
		}
		return b
	}
	f.Add(voice(75), []byte{160, 0x81, 160})
	f.Add(voice(190), []byte{80, 80, 0x80 | 80, 7, 0x81, 160})
	f.Add([]byte{0xff, 0x7f, 0, 0x80}, []byte{160, 0xff, 0xff, 0xff, 1, 0xff})
	f.Add([]byte{}, []byte{0xff})
	f.Fuzz(func(t *testing.T, sound, steps []byte) {
		var p plc
		p.reset()
		lost, at := plcFaded, 0
		for _, step := range steps { // pairs of samples, less one; the top bit says that they are lost
			s := make([]int16, 2*int(step&0x7f)+2)
			if step&0x80 == 0 {
				for i := range s {
					if n := len(sound) / 2; n > 0 {
						s[i] = int16(binary.LittleEndian.Uint16(sound[at%n*2:]))
						at++
					}
				}
				p.good(s)
				lost = 0
				continue
			}
			heard := p.conceal(s)
			if heard != (lost < plcFaded) {
				t.Fatalf("after %d lost samples it says %v", lost, heard)
			}
			for i, v := range s {
				if lost+i >= plcFaded && v != 0 {
					t.Fatalf("sample %d of a loss is %d, not silence", lost+i, v)
				}
			}
			lost = min(lost+len(s), plcFaded)
		}
	})
}
