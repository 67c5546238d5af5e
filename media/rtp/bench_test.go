package rtp

import (
	"testing"
	"time"

	"callbox/media"
	"callbox/media/codec"
)

// BenchmarkDecode takes one packet in and reads one frame: a tick of the
// decoded path.
func BenchmarkDecode(b *testing.B) {
	s, _ := bare(b, alice, pcmu(), nil)
	k := talker{ssrc: 5, c: codec.PCMU}
	raw := k.packet(vowel(0, 160, 150), false)
	buf := make([]byte, len(raw))
	var f media.Frame
	s.ReadFrame(&f)
	now, seq := at(0), uint16(0)
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, raw)
		buf[2], buf[3] = byte(seq>>8), byte(seq)
		ts := uint32(seq) * 160
		buf[4], buf[5], buf[6], buf[7] = byte(ts>>24), byte(ts>>16), byte(ts>>8), byte(ts)
		s.handle(buf, alice, now)
		s.ReadFrame(&f)
		seq++
		now = now.Add(media.FrameDuration)
	}
}

// BenchmarkConceal makes up every other frame.
func BenchmarkConceal(b *testing.B) {
	var p plc
	p.reset()
	good := vowel(0, 160, 150)
	var f media.Frame
	b.ReportAllocs()
	for b.Loop() {
		copy(f[:], good)
		p.good(f[:])
		p.conceal(f[:])
	}
}

// BenchmarkComfortNoise makes a frame of a silent far end.
func BenchmarkComfortNoise(b *testing.B) {
	var c comfort
	c.set([]byte{50, 100, 140, 127, 120, 130, 127, 127, 127, 127, 127}, 0)
	var f media.Frame
	b.ReportAllocs()
	for b.Loop() {
		c.fill(f[:])
	}
}

// BenchmarkEncode writes one frame, without the socket.
func BenchmarkEncode(b *testing.B) {
	s, w := bare(b, alice, pcmu(), nil)
	w.mute = true
	var f media.Frame
	copy(f[:], vowel(0, 160, 150))
	now := at(0)
	b.ReportAllocs()
	for b.Loop() {
		s.send.write(&f, now)
		now = now.Add(media.FrameDuration)
	}
}

// BenchmarkEvent takes one packet of a telephone event in, and reads a frame: a key
// of 100 ms is six packets with its repeated ends, and each must be told once.
func BenchmarkEvent(b *testing.B) {
	const packets, samples = 6, 160
	keys := 0
	s, _ := bare(b, alice, pcmu(), func(byte) { keys++ })
	k := talker{ssrc: 5, c: codec.PCMU}
	var press [packets][]byte
	for i := range press {
		press[i] = k.event(5, 0, uint32(min(i+1, packets-2)*samples), i >= packets-3, i == 0)
	}
	buf := make([]byte, len(press[0]))
	var f media.Frame
	s.ReadFrame(&f)
	now, seq, n := at(0), uint16(0), 0
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, press[n%packets])
		buf[2], buf[3] = byte(seq>>8), byte(seq)
		ts := uint32(n/packets) * packets * samples
		buf[4], buf[5], buf[6], buf[7] = byte(ts>>24), byte(ts>>16), byte(ts>>8), byte(ts)
		s.handle(buf, alice, now)
		s.ReadFrame(&f)
		seq++
		n++
		now = now.Add(media.FrameDuration)
	}
	if pressed := (n + packets - 1) / packets; keys != pressed {
		b.Fatalf("%d keys told of %d", keys, pressed)
	}
}

// BenchmarkRelay forwards one packet, without the sockets.
func BenchmarkRelay(b *testing.B) {
	s, _, _, w := couple(b, pcmu(), pcmu(), nil)
	w.mute = true
	k := talker{ssrc: 5, c: codec.PCMU}
	raw := k.packet(make([]int16, 160), false)
	buf := make([]byte, len(raw))
	now, seq := at(0), uint16(0)
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, raw)
		buf[2], buf[3] = byte(seq>>8), byte(seq)
		s.handle(buf, alice, now)
		seq++
		now = now.Add(media.FrameDuration)
	}
}

// BenchmarkRelaySockets sends one packet through two real sockets.
func BenchmarkRelaySockets(b *testing.B) {
	pool := newPool(b, PoolConfig{Bind: loopback})
	far, x, y, sink := listen(b, pool, nil), listen(b, pool, nil), listen(b, pool, nil), listen(b, pool, nil)
	begin(b, far, x, pcmu())
	begin(b, x, far, pcmu())
	begin(b, y, sink, pcmu())
	if !x.RelayTo(y) {
		b.Fatal("no relay")
	}
	<-time.After(20 * time.Millisecond) // the receive goroutines have skipped their backlog
	var f media.Frame
	buf := make([]byte, maxDatagram)
	b.ReportAllocs()
	for b.Loop() {
		far.WriteFrame(&f)
		if _, _, err := sink.ports.rtp.ReadFromUDPAddrPort(buf); err != nil {
			b.Fatal(err)
		}
	}
}
