package rtp

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"

	"callbox/media"
	"callbox/media/codec"
)

// checkRun verifies that packets follow one another without a gap.
func checkRun(t *testing.T, p []rtp.Packet, step uint32) {
	t.Helper()
	for i := 1; i < len(p); i++ {
		if p[i].SequenceNumber != p[i-1].SequenceNumber+1 || p[i].Timestamp != p[i-1].Timestamp+step || p[i].SSRC != p[0].SSRC {
			t.Fatalf("packet %d: sequence %d after %d, timestamp +%d, source %x after %x", i,
				p[i].SequenceNumber, p[i-1].SequenceNumber, int32(p[i].Timestamp-p[i-1].Timestamp), p[i].SSRC, p[0].SSRC)
		}
	}
}

func TestSendContinuity(t *testing.T) {
	t.Parallel()
	s, w := bare(t, alice, pcmu(), nil)
	var f media.Frame
	for i := range 100 {
		for k := range f {
			f[k] = int16(i*100 + k)
		}
		s.send.write(&f, at(i*20))
	}
	if w.to[50] != alice {
		t.Errorf("sent to %v", w.to[50])
	}
	p := w.take()
	if len(p) != 100 {
		t.Fatalf("%d packets of 100", len(p))
	}
	checkRun(t, p, 160)
	for i := range p {
		if len(p[i].Payload) != 160 || p[i].PayloadType != 0 || p[i].Marker != (i == 0) {
			t.Fatalf("packet %d: %d bytes, type %d, marker %v", i, len(p[i].Payload), p[i].PayloadType, p[i].Marker)
		}
	}
	var got media.Frame
	codec.PCMU.Decode(got[:], p[50].Payload)
	if d := int(got[80]) - (50*100 + 80); d > 200 || d < -200 {
		t.Errorf("sample %d", got[80])
	}
	st := s.Stats()
	if st.PacketsOut != 100 {
		t.Errorf("%+v", st)
	}
}

// TestSendGap leaves ticks out: the timestamps go on with the time, the
// sequence numbers without a gap, and the marker says so.
func TestSendGap(t *testing.T) {
	t.Parallel()
	s, w := bare(t, alice, pcmu(), nil)
	var f media.Frame
	for i := range 60 {
		s.ReadFrame(&f)
		if i < 10 || i >= 50 {
			s.send.write(&f, at(i*20))
		}
	}
	p := w.take()
	if len(p) != 20 {
		t.Fatalf("%d packets of 20", len(p))
	}
	if d := p[10].Timestamp - p[9].Timestamp; d != 41*160 || !p[10].Marker || p[10].SequenceNumber != p[9].SequenceNumber+1 {
		t.Errorf("after 40 silent ticks: +%d samples, marker %v", d, p[10].Marker)
	}
	checkRun(t, p[10:], 160)
}

// TestSendGapUnread is the same for a stream that nobody reads: the time is
// noticed a little later.
func TestSendGapUnread(t *testing.T) {
	t.Parallel()
	s, w := bare(t, alice, pcmu(), nil)
	var f media.Frame
	for i := range 120 {
		if i < 10 || i >= 50 {
			s.send.write(&f, at(i*20))
		}
	}
	p := w.take()
	if d := p[len(p)-1].Timestamp - p[0].Timestamp; d != 119*160 {
		t.Errorf("the timestamps went on by %d of %d", d, 119*160)
	}
}

// TestSendAfterStall writes as the media clock does after it was late: at most
// five frames at once. What it makes up leaves no mark; what it skips is
// followed by a jump.
func TestSendAfterStall(t *testing.T) {
	t.Parallel()
	for _, stall := range []int{4, 5, 30} { // ticks
		s, w := bare(t, alice, pcmu(), nil)
		var f media.Frame
		tick := func(ms int) {
			s.ReadFrame(&f)
			s.send.write(&f, at(ms))
		}
		for i := range 50 {
			tick(i * 20)
		}
		for range min(stall, 5) {
			tick((49 + stall) * 20)
		}
		for i := range 50 {
			tick((50 + stall + i) * 20)
		}
		p := w.take()
		total := p[len(p)-1].Timestamp - p[0].Timestamp
		if want := uint32(99+stall) * 160; total != want {
			t.Errorf("stall of %d ticks: the timestamps went on by %d of %d", stall, total, want)
		}
		if stall <= 5 {
			checkRun(t, p, 160)
		}
	}
}

func TestSendHoldAndResume(t *testing.T) {
	t.Parallel()
	s, w := bare(t, alice, pcmu(), nil)
	var f media.Frame
	for i := range 10 {
		s.send.write(&f, at(i*20))
	}
	hold := pcmu()
	for _, d := range []Direction{RecvOnly, Inactive} {
		hold.Direction = d
		if err := s.Start(Remote{RTP: alice}, hold); err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			s.send.write(&f, at(200+i*20))
		}
	}
	if err := s.Start(Remote{RTP: netip.MustParseAddrPort("0.0.0.0:4000")}, pcmu()); err != nil {
		t.Fatal(err)
	}
	s.send.write(&f, at(1300))
	if n := len(w.take()); n != 10 {
		t.Fatalf("%d packets before and during hold, want 10", n)
	}
	first := s.send.seq
	if err := s.Start(Remote{RTP: bob}, pcma()); err != nil { // resumed elsewhere, with the other law
		t.Fatal(err)
	}
	for i := range 10 {
		s.send.write(&f, at(2000+i*20))
	}
	if w.to[0] != bob {
		t.Errorf("sent to %v", w.to[0])
	}
	p := w.take()
	checkRun(t, p, 160)
	if len(p) != 10 || p[0].SequenceNumber != first || !p[0].Marker || p[0].PayloadType != 8 {
		t.Errorf("%d packets, first %v", len(p), p[0].Header)
	}
	if got, want := p[0].Timestamp-s.send.anchorTS, uint32(0); got != want {
		t.Errorf("the timestamp is %d off the time", int32(got))
	}
}

func TestParamsValidate(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]Params{
		"no codec":       {},
		"big type":       {Codec: codec.PCMU, PayloadType: 128},
		"big event":      {Codec: codec.PCMU, EventPT: 200},
		"same twice":     {Codec: codec.PCMA, PayloadType: 8, EventPT: 8},
		"long packets":   {Codec: codec.PCMU, PTime: 1000},
		"negative ptime": {Codec: codec.PCMU, PTime: -20},
		"direction":      {Codec: codec.PCMU, Direction: 9},
	} {
		if p.Validate() == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if err := pcmu().Validate(); err != nil {
		t.Error(err)
	}
	if Direction(9).String() == "" || SendRecv.String() != "sendrecv" || Inactive.String() != "inactive" {
		t.Error("wrong names of directions")
	}
}

// digitRun sends a digit while a clock writes frames, in a bubble.
func digitRun(t *testing.T, written bool, d time.Duration) []rtp.Packet {
	t.Helper()
	w := &wire{}
	s := newStream(Config{Pool: new(PortPool)}, w, time.Now())
	if err := s.Start(Remote{RTP: alice}, pcmu()); err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(media.FrameDuration)
		defer tick.Stop()
		var f media.Frame
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			s.ReadFrame(&f)
			if written {
				s.WriteFrame(&f)
			}
		}
	}()
	<-time.After(205 * time.Millisecond)
	if err := s.SendDigit(t.Context(), '#', d); err != nil {
		t.Error(err)
	}
	<-time.After(200 * time.Millisecond)
	close(stop)
	<-stopped
	return w.take()
}

func TestSendDigit(t *testing.T) {
	t.Parallel()
	for _, written := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			all := digitRun(t, written, 100*time.Millisecond)
			var events []rtp.Packet
			audio := 0
			for i, p := range all {
				if i > 0 && p.SequenceNumber != all[i-1].SequenceNumber+1 {
					t.Errorf("sequence %d after %d", p.SequenceNumber, all[i-1].SequenceNumber)
				}
				if p.PayloadType == 101 {
					events = append(events, p)
				} else {
					audio++
				}
			}
			if len(events) != 7 { // 20, 40, 60, 80, 100 ms, and the end twice more
				t.Fatalf("%d event packets", len(events))
			}
			for i, p := range events {
				d := eventDuration(p.Payload)
				if want := uint32(min(i+1, 5)) * 160; d != want || p.Timestamp != events[0].Timestamp {
					t.Errorf("event %d: duration %d, want %d", i, d, want)
				}
				if p.Payload[0] != 11 || p.Marker != (i == 0) || (p.Payload[1]&eventEnd != 0) != (i >= 4) {
					t.Errorf("event %d: % x, marker %v", i, p.Payload, p.Marker)
				}
			}
			if !written {
				return
			}
			if audio < 18 {
				t.Errorf("%d audio packets", audio)
			}
			// The sound after the event has the time that passed.
			last := all[len(all)-1]
			if d := last.Timestamp - all[0].Timestamp; d != uint32(len(all)-1)*160 {
				t.Errorf("the timestamps went on by %d in %d packets", d, len(all)-1)
			}
		})
	}
}

func TestSendDigitErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		s := newStream(Config{Pool: new(PortPool)}, w, time.Now())
		ctx := t.Context()
		if err := s.SendDigit(ctx, '1', 100*time.Millisecond); !errors.Is(err, ErrNoEvents) {
			t.Errorf("before Start: %v", err)
		}
		p := pcmu()
		p.EventPT = 0
		if err := s.Start(Remote{RTP: alice}, p); err != nil {
			t.Fatal(err)
		}
		if err := s.SendDigit(ctx, '1', 100*time.Millisecond); !errors.Is(err, ErrNoEvents) {
			t.Errorf("without events: %v", err)
		}
		p = pcmu()
		p.Direction = RecvOnly
		if err := s.Start(Remote{RTP: alice}, p); err != nil {
			t.Fatal(err)
		}
		if err := s.SendDigit(ctx, '1', 100*time.Millisecond); !errors.Is(err, ErrHeld) {
			t.Errorf("on hold: %v", err)
		}
		if err := s.SendDigit(ctx, 'x', 100*time.Millisecond); err == nil {
			t.Error("x is no key")
		}
		for _, d := range []time.Duration{0, 39 * time.Millisecond, 9 * time.Second} {
			if err := s.SendDigit(ctx, '1', d); err == nil {
				t.Errorf("%v was accepted", d)
			}
		}
		if err := s.Start(Remote{RTP: alice}, pcmu()); err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		if err := s.SendDigit(short, '1', 2*time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("cut short: %v", err)
		}
		ev := w.take()
		if n := len(ev); n < 5 || ev[n-1].Payload[1]&eventEnd == 0 || ev[n-3].Payload[1]&eventEnd == 0 {
			t.Errorf("%d packets, the end is missing", n)
		}
		// Hold in the middle of a digit, and the end of the stream.
		for _, end := range []func() error{
			func() error { return s.Start(Remote{RTP: alice}, p) },
			s.Close,
		} {
			if err := s.Start(Remote{RTP: alice}, pcmu()); err != nil {
				t.Fatal(err)
			}
			got := make(chan error)
			go func() { got <- s.SendDigit(ctx, '1', 2*time.Second) }()
			<-time.After(200 * time.Millisecond)
			if err := end(); err != nil {
				t.Fatal(err)
			}
			if err := <-got; !errors.Is(err, ErrHeld) && !errors.Is(err, ErrClosed) {
				t.Errorf("ended from outside: %v", err)
			}
		}
		if err := s.SendDigit(ctx, '1', 100*time.Millisecond); err == nil {
			t.Error("a closed stream sent a digit")
		}
	})
}

func TestSendNoAllocations(t *testing.T) {
	s, w := bare(t, alice, pcmu(), nil)
	w.mute = true
	var f media.Frame
	if n := testing.AllocsPerRun(200, func() { s.WriteFrame(&f) }); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
	s.send.mu.Lock()
	s.send.ev = eventOut{active: true, total: 1 << 20, done: make(chan error, 1)}
	s.send.mu.Unlock()
	if n := testing.AllocsPerRun(200, func() { s.WriteFrame(&f) }); n != 0 {
		t.Errorf("%v allocations per event packet", n)
	}
}
