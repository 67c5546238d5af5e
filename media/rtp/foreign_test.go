package rtp

import (
	"bytes"
	"testing"
	"time"

	"callbox/media"
	"callbox/media/codec"
)

// TestForeign passes codecs on that the box does not understand: every payload as
// it came, under the other side's number, with the source's steps of time.
func TestForeign(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		codec codec.Codec
		step  uint32
		in    uint8 // the number that comes
		out   uint8
	}{{codec.Opus, 960, 96, 120}, {codec.G729, 160, 18, 18}} {
		pa := Params{Codec: c.codec, PayloadType: 111, LocalPT: c.in, EventPT: 101}
		pb := Params{Codec: c.codec, PayloadType: c.out, LocalPT: 107, EventPT: 97, PTime: 40}
		a, b, _, w := couple(t, pa, pb, nil)
		far := &talker{ssrc: 7}
		var want [][]byte
		for i := range 50 {
			payload := bytes.Repeat([]byte{byte(i), 0xA5, byte(i * 3)}, 1+i*7%90)
			want = append(want, payload)
			a.handle(far.raw(payload, c.in, far.ts, i == 0, c.step), alice, at(i*20))
		}
		a.handle(far.event(5, far.ts, 160, false, true), alice, at(1000))
		sent := w.take()
		if len(sent) != 51 {
			t.Fatalf("%v: %d packets", c.codec, len(sent))
		}
		checkRun(t, sent[:50], c.step)
		for i, p := range sent[:50] {
			if p.PayloadType != c.out || !bytes.Equal(p.Payload, want[i]) {
				t.Fatalf("%v: packet %d has the type %d and %d bytes of %d", c.codec, i, p.PayloadType, len(p.Payload), len(want[i]))
			}
		}
		if sent[50].PayloadType != 97 {
			t.Errorf("%v: an event has the type %d", c.codec, sent[50].PayloadType)
		}
		if j := a.Stats().Jitter; j > time.Millisecond {
			t.Errorf("%v: jitter %v of a source without any", c.codec, j)
		}
		// What cannot be decoded is not heard, and nothing can be said.
		a.StopRelay()
		b.StopRelay()
		var f media.Frame
		for i := range 10 {
			a.handle(far.raw([]byte{1, 2, 3}, c.in, far.ts, false, c.step), alice, at(1020+i*20))
			if a.read(&f, at(1020+i*20)) {
				t.Fatalf("%v: something was decoded", c.codec)
			}
			b.send.write(&f, at(1020+i*20))
		}
		if sent := w.take(); len(sent) != 0 {
			t.Errorf("%v: %d packets of sound that cannot be encoded", c.codec, len(sent))
		}
	}
}

// TestForeignUnasked: a codec that was not agreed on is not passed on.
func TestForeignUnasked(t *testing.T) {
	t.Parallel()
	a, _, _, w := couple(t, pcmu(), pcmu(), nil)
	far := &talker{ssrc: 7}
	a.handle(far.raw(make([]byte, 20), 18, 0, true, 160), alice, at(0))
	if sent := w.take(); len(sent) != 0 || a.Quality().Unknown != 1 {
		t.Errorf("%d packets passed on, %d unknown", len(sent), a.Quality().Unknown)
	}
}

// TestQuiet: a quiet stream sends nothing of its own, but what is relayed.
func TestQuiet(t *testing.T) {
	t.Parallel()
	a, b, wa, wb := couple(t, pcmu(), pcmu(), nil)
	for _, s := range []*Stream{a, b} {
		s.rtcp.conn = &wire{}
		s.SetQuiet(true)
	}
	reports := b.rtcp.conn.(*wire)
	far := &talker{ssrc: 7, c: codec.PCMU}
	a.handle(far.packet(make([]int16, 160), true), alice, at(0))
	if len(wb.take()) != 1 {
		t.Error("a packet that came late was not passed on")
	}
	var f media.Frame
	a.StopRelay()
	b.StopRelay()
	for i := range 300 {
		a.send.write(&f, at(i*20))
		b.send.write(&f, at(i*20))
		b.mu.Lock()
		b.sendReport(at(i*20), false)
		b.mu.Unlock()
	}
	if n, m := len(wa.take()), len(wb.take()); n+m != 0 {
		t.Errorf("%d and %d packets", n, m)
	}
	if _, err := b.send.startEvent(1, 100*time.Millisecond, at(6000)); err != ErrHeld {
		t.Errorf("a digit: %v", err)
	}
	if len(reports.raw) != 0 {
		t.Errorf("%d reports", len(reports.raw))
	}
	b.SetQuiet(false)
	b.send.write(&f, at(6020))
	b.mu.Lock()
	b.sendReport(at(6020), false)
	b.mu.Unlock()
	if len(wb.take()) != 1 || len(reports.raw) != 1 {
		t.Errorf("after the silence: %d reports", len(reports.raw))
	}
}
