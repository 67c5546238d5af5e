package rtp

import (
	"testing"

	"github.com/pion/rtp"

	"callbox/media"
	"callbox/media/codec"
)

// couple makes two streams whose sound is relayed both ways.
func couple(t testing.TB, pa, pb Params, onDigit func(byte)) (a, b *Stream, wa, wb *wire) {
	t.Helper()
	a, wa = bare(t, alice, pa, onDigit)
	b, wb = bare(t, bob, pb, nil)
	if !a.RelayTo(b) || !b.RelayTo(a) {
		t.Fatal("the streams do not agree")
	}
	return a, b, wa, wb
}

func TestRelayAgreement(t *testing.T) {
	t.Parallel()
	slow := pcmu()
	slow.PTime = 30
	same := pcmu()
	same.PTime = 20
	mute := pcmu()
	mute.EventPT = 0
	other := pcmu()
	other.EventPT = 96
	for _, c := range []struct {
		name string
		p    Params
		want bool
	}{
		{"same", pcmu(), true}, {"packet time named", same, true}, {"other event type", other, true},
		{"other codec", pcma(), false}, {"other packet time", slow, false}, {"no events", mute, false},
	} {
		a, _ := bare(t, alice, pcmu(), nil)
		b, _ := bare(t, bob, c.p, nil)
		if got := a.RelayTo(b); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	a, _ := bare(t, alice, pcmu(), nil)
	if a.RelayTo(a) {
		t.Error("a stream relays to itself")
	}
	if a.RelayTo(media.Port(nil)) || a.RelayTo(holder{}) {
		t.Error("relays to nothing")
	}
	unstarted := newStream(Config{Pool: new(PortPool)}, &wire{}, start)
	if a.RelayTo(unstarted) || unstarted.RelayTo(a) {
		t.Error("relays without an answer")
	}
	b, _ := bare(t, bob, pcmu(), nil)
	if !a.RelayTo(holder{Port: b, s: b}) || !a.RelayTo(b) {
		t.Error("does not look through a wrapper")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if a.RelayTo(b) {
		t.Error("relays to a closed stream")
	}
}

// holder wraps a stream as lines may do.
type holder struct {
	media.Port
	s *Stream
}

func (h holder) RTPStream() *Stream { return h.s }

func TestRelayForwardsAtOnce(t *testing.T) {
	t.Parallel()
	a, b, wa, wb := couple(t, pcmu(), pcmu(), nil)
	k := talker{ssrc: 5, seq: 65530, ts: 0xFFFFFE00, c: codec.PCMU}
	voice := vowel(0, 16000, 150)
	for i := range 100 {
		raw := k.packet(voice[i*160:(i+1)*160], i == 0)
		a.handle(raw, alice, at(i*20))
		if len(wb.packets) != i+1 {
			t.Fatalf("packet %d was not sent at once", i)
		}
	}
	if wb.to[0] != bob {
		t.Errorf("sent to %v", wb.to[0])
	}
	p := wb.take()
	checkRun(t, p, 160)
	if p[0].SSRC == 5 || p[0].SSRC != b.send.ssrc {
		t.Errorf("the source is %x", p[0].SSRC)
	}
	var heard []int16
	for i := range p {
		var f media.Frame
		codec.PCMU.Decode(f[:], p[i].Payload)
		heard = append(heard, f[:]...)
	}
	if r := snr(voice, heard); r < 30 {
		t.Errorf("%.1f dB", r)
	}
	if len(wa.take()) != 0 {
		t.Error("something came back")
	}
	var f media.Frame
	if a.ReadFrame(&f) {
		t.Error("ReadFrame gives relayed sound")
	}
	b.WriteFrame(&f) // displaced by the relay
	if n := len(wb.take()); n != 0 {
		t.Errorf("%d packets written during the relay", n)
	}
	if st, q := b.Stats(), b.Quality(); st.PacketsOut != 100 || st.Dropped != 0 || q.Displaced != 1 {
		t.Errorf("%+v %+v", st, q)
	}
	if st := a.Stats(); st.PacketsIn != 100 || st.Lost != 0 {
		t.Errorf("%+v", st)
	}
}

// TestRelayKeepsGaps loses, reorders and doubles packets before the box: what
// goes on has the same gaps, and no packet twice.
func TestRelayKeepsGaps(t *testing.T) {
	t.Parallel()
	a, _, _, wb := couple(t, pcmu(), pcmu(), nil)
	k := talker{ssrc: 5, c: codec.PCMU}
	var raw [][]byte
	for range 8 {
		raw = append(raw, k.packet(make([]int16, 160), false))
	}
	for i, n := range []int{0, 1, 3, 3, 2, 6, 7} { // 4 and 5 are lost
		a.handle(append([]byte(nil), raw[n]...), alice, at(i*20))
	}
	p := wb.take()
	var got []int
	for i := range p {
		d := int(p[i].SequenceNumber - p[0].SequenceNumber)
		got = append(got, d)
		if p[i].Timestamp-p[0].Timestamp != uint32(d)*160 {
			t.Errorf("sequence +%d has timestamp +%d", d, p[i].Timestamp-p[0].Timestamp)
		}
	}
	if len(got) != 6 || got[2] != 3 || got[3] != 2 || got[4] != 6 || got[5] != 7 {
		t.Errorf("sequence numbers %v", got)
	}
}

// TestRelayContinuity changes who speaks on one outgoing stream: written, then
// relayed, another source, a digit of ours in between, then written again. The
// far end sees one stream.
func TestRelayContinuity(t *testing.T) {
	t.Parallel()
	a, b, _, wb := couple(t, pcmu(), pcmu(), nil)
	a.StopRelay()
	var f media.Frame
	ms := 0
	for range 10 {
		b.send.write(&f, at(ms))
		ms += 20
	}
	if !a.RelayTo(b) {
		t.Fatal("no relay")
	}
	speak := func(k *talker, n int) {
		for range n {
			a.handle(k.packet(make([]int16, 160), false), alice, at(ms))
			ms += 20
		}
	}
	k := talker{ssrc: 5, seq: 1000, ts: 77, c: codec.PCMU}
	speak(&k, 10)
	speak(&talker{ssrc: 6, seq: 9, ts: 4_000_000_000, c: codec.PCMU}, 10)
	if _, err := b.send.startEvent(1, 40_000_000, at(ms)); err != nil {
		t.Fatal(err)
	}
	k2 := talker{ssrc: 6, seq: 19, ts: 4_000_001_600, c: codec.PCMU}
	for b.send.ev.active {
		ms += 20
		a.handle(k2.packet(make([]int16, 160), false), alice, at(ms)) // held back
		b.send.mu.Lock()
		b.send.stepEvent(at(ms))
		b.send.mu.Unlock()
	}
	ms += 20
	speak(&k2, 10)
	a.StopRelay()
	for range 10 {
		b.send.write(&f, at(ms))
		ms += 20
	}
	p := wb.take()
	audio := 0
	for i := 1; i < len(p); i++ {
		if p[i].SequenceNumber != p[i-1].SequenceNumber+1 || p[i].SSRC != p[0].SSRC {
			t.Errorf("packet %d: sequence %d after %d", i, p[i].SequenceNumber, p[i-1].SequenceNumber)
		}
		if p[i].PayloadType == 0 {
			audio++
		}
	}
	if audio != 49 {
		t.Errorf("%d audio packets after the first", audio)
	}
	// The whole run took ms: so do the timestamps, to a frame.
	if d, want := int(p[len(p)-1].Timestamp-p[0].Timestamp), (ms-20)*8; d < want-160 || d > want+160 {
		t.Errorf("the timestamps went on by %d in %d samples of time", d, want)
	}
}

// TestRelayStartsLate sends a packet that was overtaken by the first relayed
// one: its number belongs to a packet of ours.
func TestRelayStartsLate(t *testing.T) {
	t.Parallel()
	a, _, _, wb := couple(t, pcmu(), pcmu(), nil)
	k := talker{ssrc: 5, seq: 100, c: codec.PCMU}
	old := k.packet(make([]int16, 160), false)
	a.handle(k.packet(make([]int16, 160), false), alice, at(0))
	a.handle(old, alice, at(1))
	if n := len(wb.take()); n != 1 {
		t.Errorf("%d packets", n)
	}
	for i := range 70_000 { // the numbers wrap, and go on
		a.handle(k.packet(make([]int16, 8), false), alice, at(i*20))
	}
	p := wb.take()
	if len(p) != 70_000 {
		t.Fatalf("%d packets of 70000", len(p))
	}
	checkRun(t, p, 8)
}

func TestRelayEvents(t *testing.T) {
	t.Parallel()
	pb := pcmu()
	pb.EventPT = 96
	keys := ""
	a, _, _, wb := couple(t, pcmu(), pb, func(k byte) { keys += string(k) })
	k := talker{ssrc: 5, seq: 1, ts: 1000, c: codec.PCMU}
	ms := 0
	step := func(b []byte) {
		a.handle(b, alice, at(ms))
		ms += 20
	}
	for range 5 {
		step(k.packet(make([]int16, 160), false))
	}
	began := k.ts
	for i := range 5 {
		step(k.event(7, began, uint32(i+1)*160, false, i == 0))
	}
	for range 3 {
		step(k.event(7, began, 960, true, false))
	}
	k.ts += 1280
	step(k.packet(make([]int16, 160), false))
	if keys != "7" {
		t.Errorf("keys %q", keys)
	}
	p := wb.take()
	if len(p) != 14 {
		t.Fatalf("%d packets of 14", len(p))
	}
	for i := range p {
		event := i >= 5 && i < 13
		if want := map[bool]uint8{true: 96, false: 0}[event]; p[i].PayloadType != want {
			t.Errorf("packet %d has type %d", i, p[i].PayloadType)
		}
		if event && p[i].Timestamp != p[0].Timestamp+800 {
			t.Errorf("event packet %d: timestamp +%d", i, p[i].Timestamp-p[0].Timestamp)
		}
		if p[i].SequenceNumber != p[0].SequenceNumber+uint16(i) {
			t.Errorf("packet %d: sequence +%d", i, p[i].SequenceNumber-p[0].SequenceNumber)
		}
	}
	if d := p[13].Timestamp - p[0].Timestamp; d != 800+1280 {
		t.Errorf("after the event: +%d", d)
	}
}

// TestRelayStartsInEvent begins in the middle of a held key: what follows must
// not run ahead of the time.
func TestRelayStartsInEvent(t *testing.T) {
	t.Parallel()
	a, b, _, wb := couple(t, pcmu(), pcmu(), nil)
	a.StopRelay()
	var f media.Frame
	for i := range 100 {
		b.send.write(&f, at(i*20))
	}
	a.RelayTo(b)
	k := talker{ssrc: 5, seq: 1, ts: 50_000, c: codec.PCMU}
	a.handle(k.event(7, 50_000-8000, 8000, false, false), alice, at(2000))
	k.ts += 160
	a.handle(k.packet(make([]int16, 160), true), alice, at(2020))
	p := wb.take()
	if d := p[101].Timestamp - p[99].Timestamp; d != 320 {
		t.Errorf("sound after the event: +%d", d)
	}
}

func TestRelayOtherLaw(t *testing.T) {
	t.Parallel()
	a, _, _, wb := couple(t, pcmu(), pcmu(), nil)
	voice := vowel(0, 160, 150)
	k := talker{ssrc: 5, pt: 8, c: codec.PCMA}
	a.handle(k.packet(voice, false), alice, at(0))
	p := wb.take()
	var f media.Frame
	codec.PCMU.Decode(f[:], p[0].Payload)
	if r := snr(voice, f[:]); p[0].PayloadType != 0 || r < 25 {
		t.Errorf("type %d, %.1f dB", p[0].PayloadType, r)
	}
}

// TestRelayHeader drops what belongs to one hop: extension, contributing
// sources, padding.
func TestRelayHeader(t *testing.T) {
	t.Parallel()
	a, _, _, wb := couple(t, pcmu(), pcmu(), nil)
	p := rtp.Packet{Header: rtp.Header{
		Version: 2, SSRC: 5, CSRC: []uint32{1, 2, 3}, Padding: true, PaddingSize: 8,
	}, Payload: []byte{1, 2, 3, 4}}
	if err := p.SetExtension(1, []byte{9, 9, 9}); err != nil {
		t.Fatal(err)
	}
	raw, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	a.handle(raw, alice, at(0))
	if got := wb.raw[0]; len(got) != headerBytes+4 || got[12] != 1 || got[15] != 4 {
		t.Errorf("% x", got)
	}
	g := wb.take()[0]
	if g.Extension || g.Padding || len(g.CSRC) != 0 {
		t.Errorf("%+v", g.Header)
	}
}

func TestRelayOnHold(t *testing.T) {
	t.Parallel()
	a, b, _, wb := couple(t, pcmu(), pcmu(), nil)
	k := talker{ssrc: 5, c: codec.PCMU}
	hold := pcmu()
	hold.Direction = RecvOnly
	for _, s := range []*Stream{b} { // the peer may not send
		if err := s.Start(Remote{RTP: bob}, hold); err != nil {
			t.Fatal(err)
		}
	}
	a.handle(k.packet(make([]int16, 160), false), alice, at(0))
	hold.Direction = SendOnly // nor may the source be heard
	if err := b.Start(Remote{RTP: bob}, pcmu()); err != nil {
		t.Fatal(err)
	}
	if err := a.Start(Remote{RTP: alice}, hold); err != nil {
		t.Fatal(err)
	}
	a.handle(k.packet(make([]int16, 160), false), alice, at(20))
	if n := len(wb.take()); n != 0 {
		t.Errorf("%d packets on hold", n)
	}
}

// TestRelayToDecoded goes back and forth between the paths.
func TestRelayToDecoded(t *testing.T) {
	t.Parallel()
	a, b, _, wb := couple(t, pcmu(), pcmu(), nil)
	k := talker{ssrc: 5, c: codec.PCMU}
	voice := vowel(0, 160*300, 150)
	var f media.Frame
	heard, relayed := 0, 0
	for i := range 300 {
		switch i {
		case 100:
			a.StopRelay()
		case 200:
			if !a.RelayTo(b) {
				t.Fatal("no relay")
			}
		}
		a.handle(k.packet(voice[i*160:(i+1)*160], false), alice, at(i*20))
		if i >= 100 && i < 200 && a.ReadFrame(&f) {
			heard++
		}
		relayed += len(wb.take())
	}
	if relayed != 200 || heard < 95 {
		t.Errorf("%d relayed, %d decoded", relayed, heard)
	}
	if a.jb != nil {
		t.Error("the jitter buffer was kept for nothing")
	}
	if st := a.Stats(); st.MaxBufferLength == 0 || st.Lost != 0 {
		t.Errorf("%+v", st)
	}
}

func TestRelayNoAllocations(t *testing.T) {
	a, b, _, wb := couple(t, pcmu(), pcmu(), nil)
	wb.mute = true
	k := talker{ssrc: 5, c: codec.PCMU}
	raw := k.packet(make([]int16, 160), false)
	buf := make([]byte, 200)
	seq := uint16(0)
	if n := testing.AllocsPerRun(500, func() {
		copy(buf, raw)
		seq++
		buf[2], buf[3] = byte(seq>>8), byte(seq)
		a.handle(buf[:len(raw)], alice, at(int(seq)*20))
	}); n != 0 {
		t.Errorf("%v allocations per relayed packet", n)
	}
	if b.send.packets < 500 {
		t.Errorf("%d packets relayed", b.send.packets)
	}
	a.StopRelay()
	var f media.Frame
	a.ReadFrame(&f)
	for i := range 3 { // the jitter buffer is made once
		seq++
		copy(buf, raw)
		buf[3] = byte(seq)
		a.handle(buf[:len(raw)], alice, at(i))
	}
	if n := testing.AllocsPerRun(500, func() {
		copy(buf, raw)
		seq++
		buf[2], buf[3] = byte(seq>>8), byte(seq)
		a.handle(buf[:len(raw)], alice, at(int(seq)*20))
		a.ReadFrame(&f)
	}); n != 0 {
		t.Errorf("%v allocations per decoded packet", n)
	}
}
