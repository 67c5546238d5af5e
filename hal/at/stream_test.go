package at

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// voice is a voice modem: commands are answered by OK, AT+VTR by CONNECT, and
// what is written in sound is kept until DLE ^.
type voice struct {
	conn  net.Conn
	heard []byte
	mute  bool          // it does not answer DLE ^ and stays in sound until DLE ETX
	late  time.Duration // until CONNECT
	done  chan struct{}
}

func (v *voice) run(sound bool) {
	defer close(v.done)
	var line []byte
	esc := false
	b := make([]byte, 1)
	say := func(s string) { _, _ = io.WriteString(v.conn, s) }
	for {
		if _, err := v.conn.Read(b); err != nil {
			return
		}
		c := b[0]
		switch {
		case sound && esc:
			esc = false
			switch {
			case c == '^' && !v.mute, c == etx:
				sound = false
				say("\x10\x03\r\nOK\r\n")
			case c != '^':
				v.heard = append(v.heard, c)
			}
		case sound && c == dle:
			esc = true
		case sound:
			v.heard = append(v.heard, c)
		case c != '\r':
			line = append(line, c)
		default:
			if string(line) == "AT+VTR" {
				sound = true
				<-time.After(v.late)
				say("\r\nCONNECT\r\n")
			} else {
				say("\r\nOK\r\n")
			}
			line = nil
		}
	}
}

func newVoice(t *testing.T, v *voice, sound bool) *Engine {
	near, far := net.Pipe()
	v.conn, v.done = far, make(chan struct{})
	go v.run(sound)
	e := New(near, Config{Voice: true})
	t.Cleanup(func() { _ = e.Close(); _ = far.Close(); <-v.done })
	return e
}

func TestStream(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := &voice{}
		e := newVoice(t, v, false)
		s, err := e.Stream(t.Context(), Command{Text: "AT+VTR", Class: Radio})
		if err != nil {
			t.Fatal(err)
		}
		// A DLE pair may be split between two reads of the port.
		for _, part := range []string{"ab\x10", "\x10c\x10", "5d\x10\x1a\x10b", "e"} {
			if _, err := io.WriteString(v.conn, part); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		b := make([]byte, 100)
		n, err := s.Read(b)
		if got := string(b[:n]); got != "ab\x10cd\x10\x10e" || err != nil {
			t.Errorf("heard %q, %v", got, err)
		}
		if c := []byte{<-s.Codes(), <-s.Codes()}; string(c) != "5b" {
			t.Errorf("codes %q", c)
		}
		if _, err := s.Write([]byte("x\x10y")); err != nil {
			t.Error(err)
		}
		if err := s.Leave(t.Context(), '^'); err != nil {
			t.Error(err)
		}
		if _, err := s.Read(b); !errors.Is(err, io.EOF) || s.Final() != OK {
			t.Errorf("after the end: %v, %q", err, s.Final())
		}
		if _, err := s.Write([]byte("z")); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("writing after the end: %v", err)
		}
		must(t, e, Command{Text: "ATH"})
		if !bytes.Equal(v.heard, []byte("x\x10y")) {
			t.Errorf("the modem heard %q", v.heard)
		}
	})
}

// Who asks for sound goes before it begins: it is ended as it does, and commands go on.
func TestStreamNobodyWants(t *testing.T) {
	for _, mute := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			v := &voice{late: time.Second, mute: mute}
			e := newVoice(t, v, false)
			ctx, cancel := context.WithTimeout(t.Context(), v.late/2)
			defer cancel()
			if _, err := e.Stream(ctx, Command{Text: "AT+VTR", Class: Radio}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("given up with %v", err)
			}
			began := time.Now()
			must(t, e, Command{Text: "ATH"})
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("the next command took %v", took)
			}
		})
	}
}

// The far end hangs up: the modem ends the sound by itself, commands that waited go on.
func TestStreamEndsByItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := &voice{}
		e := newVoice(t, v, false)
		s, err := e.Stream(t.Context(), Command{Text: "AT+VTR", Class: Radio})
		if err != nil {
			t.Fatal(err)
		}
		asked := make(chan error, 1)
		go func() {
			_, err := e.Do(t.Context(), Command{Text: "AT+VLS=0"})
			asked <- err
		}()
		synctest.Wait()
		_, _ = io.WriteString(v.conn, "abc\x10l\x10\x03\r\nNO CARRIER\r\n")
		<-s.Done()
		if s.Final() != NoCarrier || <-s.Codes() != 'l' {
			t.Errorf("ended with %q", s.Final())
		}
		// Our modem did not end its side; the engine's next command is lost in sound,
		// and the engine calls it back.
		if err := <-asked; !errors.Is(err, ErrTimeout) && err != nil {
			t.Errorf("got %v", err)
		}
	})
}

// A modem that ignores DLE ^ is called back by DLE ETX.
func TestLeaveIgnored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := &voice{mute: true}
		e := newVoice(t, v, false)
		s, err := e.Stream(t.Context(), Command{Text: "AT+VTR", Class: Radio})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Leave(t.Context(), '^'); err != nil {
			t.Error(err)
		}
		must(t, e, Command{Text: "ATH"})
	})
}

// A modem left in sound by a box that crashed comes back, however much it sends.
func TestResync(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := &voice{}
		e := newVoice(t, v, true)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for range 30 {
				select {
				case <-tick.C:
					_, _ = v.conn.Write(bytes.Repeat([]byte{0xFF, '\r', 0x10, 'b'}, 40))
				case <-ctx.Done():
				}
			}
		}()
		if err := e.Resync(t.Context()); err != nil {
			t.Error(err)
		}
		must(t, e, Command{Text: "ATZ"})
		stop()
		<-done
		// Between commands a voice modem shields its events as well.
		_, _ = io.WriteString(v.conn, "\x10R\r\nRING\r\n")
		if got := drain(e); len(got) < 2 || got[len(got)-2] != "DLE R" || got[len(got)-1] != "RING" {
			t.Errorf("URCs %q", got)
		}
	})
}

func TestStreamOverrun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := &voice{}
		e := newVoice(t, v, false)
		s, err := e.Stream(t.Context(), Command{Text: "AT+VTR", Class: Radio})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = v.conn.Write(append(bytes.Repeat([]byte{1}, 500), bytes.Repeat([]byte{2}, maxSound)...))
		synctest.Wait()
		b := make([]byte, 2*maxSound)
		if n, _ := s.Read(b); n != maxSound || bytes.IndexByte(b[:n], 1) >= 0 || e.Stats().Overrun != 500 {
			t.Errorf("read %d, %+v", n, e.Stats())
		}
	})
}

// Sound costs no garbage.
func TestStreamAllocs(t *testing.T) {
	near, far := net.Pipe()
	e := New(near, Config{})
	defer func() { _ = e.Close(); _ = far.Close() }()
	s := &Stream{e: e, codes: make(chan byte, maxCodes), more: make(chan struct{}, 1), out: make([]byte, 0, 400)}
	frame := append(bytes.Repeat([]byte{0x55}, 158), dle, dle)
	b := make([]byte, 160)
	if n := testing.AllocsPerRun(100, func() {
		s.feed(frame)
		_, _ = s.Read(b)
	}); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}
