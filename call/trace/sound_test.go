package trace

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// TestSoundKeepsTheNewest fills a small memory many times over with packets of all
// lengths, and reads back whole packets only, the newest.
func TestSoundKeepsTheNewest(t *testing.T) {
	t.Parallel()
	s := NewSound(5000)
	far := netip.MustParseAddrPort("[2001:db8::7]:4000")
	for i := range 1000 {
		data := bytes.Repeat([]byte{byte(i)}, i%400)
		s.Packet(start.Add(time.Duration(i)*time.Millisecond), fmt.Sprint("call", i%2), i%4 < 2, box, far, data)
	}
	var total int
	for c := range 2 {
		packets, end := s.since(0, fmt.Sprint("call", c))
		if end != s.tail || len(packets) < 4 {
			t.Fatalf("%d packets", len(packets))
		}
		for k, p := range packets {
			i := 1000 - 2*(len(packets)-k) + c
			from, to := far, box
			if i%4 < 2 {
				from, to = box, far
			}
			if !p.At.Equal(start.Add(time.Duration(i)*time.Millisecond)) || p.From != from || p.To != to || !bytes.Equal(p.Data, bytes.Repeat([]byte{byte(i)}, i%400)) {
				t.Fatalf("packet %d of call %d: %v %v→%v, %d bytes", i, c, p.At, p.From, p.To, len(p.Data))
			}
			total += soundHeader + len(p.Data)
		}
		if again, _ := s.since(end, fmt.Sprint("call", c)); len(again) != 0 {
			t.Errorf("%d packets twice", len(again))
		}
	}
	if st := s.Stats(); st.Bytes != total || total > 5000 || total < 4000 || st.Dropped == 0 {
		t.Errorf("%+v, %d bytes read", st, total)
	}
	s.Packet(start, "long", true, box, far, make([]byte, 9000))
	if p, _ := s.since(0, "long"); len(p) != 1 || len(p[0].Data) != maxPacket {
		t.Errorf("a long packet: %v", p)
	}
}

func TestSoundAllocatesNothing(t *testing.T) {
	s := NewSound(10_000)
	data := make([]byte, 172)
	if n := testing.AllocsPerRun(200, func() { s.Packet(start, "one@box", true, box, alice, data) }); n != 0 {
		t.Errorf("%v allocations per packet", n)
	}
}

// TestCapture: a capture gives everything once, in the order of time, also of dialogs
// that become known late and of calls that are no longer remembered by the ring.
func TestCapture(t *testing.T) {
	t.Parallel()
	s := NewSound(0)
	c := NewCapture(filled(), s, "CA1")
	s.Packet(start.Add(50*time.Millisecond), "one@box", true, box, alice, []byte("early"))
	s.Packet(start.Add(60*time.Millisecond), "other@box", true, box, alice, []byte("other call"))
	s.Packet(start.Add(time.Hour), "late@box", false, box, alice, []byte("late dialog"))
	seen := func(b []byte) (out []string) {
		for len(b) > 0 {
			n := binary.LittleEndian.Uint32(b[4:])
			if binary.LittleEndian.Uint32(b) == packetBlock {
				out = append(out, parsePacket(t, b[28:28+binary.LittleEndian.Uint32(b[20:])]))
			}
			b = b[n:]
		}
		return out
	}
	first := seen(c.Next("one@box"))
	plain := 0
	for _, e := range filled().Call("CA1") {
		if !e.IsEvent() && e.Remote.IsValid() {
			plain++
		}
	}
	if len(first) != plain+1 {
		t.Errorf("%d packets, want %d messages and one of sound: %q", len(first), plain, first)
	}
	if again := c.Next("one@box"); len(again) != 0 {
		t.Errorf("%d bytes where nothing is new", len(again))
	}
	if late := seen(c.Next("one@box", "late@box")); len(late) != 1 {
		t.Errorf("of a dialog that became known: %q", late)
	}
	s.Packet(start, "one@box", true, box, alice, []byte("new"))
	if fresh := seen(c.Next("late@box", "one@box")); len(fresh) != 1 {
		t.Errorf("what is new: %q", fresh)
	}
}
