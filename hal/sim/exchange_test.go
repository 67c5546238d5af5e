package sim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/hal"
	g711 "callbox/media/codec"
)

// The simulator's µ-law is that of the box, computed another way.
func TestMuLaw(t *testing.T) {
	for i := range 256 {
		var want [1]int16
		g711.PCMU.Decode(want[:], []byte{byte(i)})
		if got := muDecode(byte(i)); got != want[0] {
			t.Errorf("code word %#x: %d, want %d", i, got, want[0])
		}
	}
	for s := -32768; s <= 32767; s += 7 {
		var want [1]byte
		g711.PCMU.Encode(want[:], []int16{int16(s)})
		got := muEncode(int16(s))
		off := func(c byte) int { return max(int(muDecode(c))-s, s-int(muDecode(c))) }
		if off(got) > off(want[0])+1 { // between two code words either is right
			t.Errorf("sample %d: %#x, want %#x", s, got, want[0])
		}
	}
}

func TestWire(t *testing.T) {
	near, far := NewWire()
	all := make([]byte, 2*wireRoom)
	for i := range all {
		all[i] = byte(i)
	}
	go near.Write(all) //nolint:errcheck // read below
	got := make([]byte, len(all))
	if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, all) {
		t.Errorf("the far end read something else: %v", err)
	}
	if _, err := far.Write([]byte("stale")); err != nil {
		t.Fatal(err)
	}
	if err := near.Discard(); err != nil {
		t.Fatal(err)
	}
	if _, err := far.Write([]byte("new")); err != nil {
		t.Fatal(err)
	}
	if n, err := near.Read(got); err != nil || string(got[:n]) != "new" {
		t.Errorf("read %q, %v", got[:n], err)
	}
	_ = far.Close()
	if _, err := near.Read(got); !errors.Is(err, hal.ErrGone) {
		t.Errorf("read of an unplugged line: %v", err)
	}
	if _, err := near.Write(all); !errors.Is(err, hal.ErrGone) {
		t.Errorf("write to an unplugged line: %v", err)
	}
}

// hand is a program at the modem's port that types commands.
type hand struct {
	*testing.T
	near  hal.Serial
	modem *VoiceModem
	line  *Exchange
	said  chan string
}

func typing(t *testing.T, m VoiceModel, x ExchangeConfig, f func(h *hand)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &hand{T: t, line: NewExchange(x), said: make(chan string, 10000)}
		h.modem = NewVoiceModem(m, h.line)
		near, far := NewWire()
		h.near = near
		h.modem.Plug(far)
		done := make(chan struct{})
		go func() {
			defer close(done)
			b := make([]byte, 4096)
			for {
				n, err := near.Read(b)
				if err != nil {
					return
				}
				h.said <- string(b[:n])
			}
		}()
		f(h)
		_ = h.modem.Close()
		_ = h.line.Close()
		<-done
	})
}

// types writes a command and gives what comes within d.
func (h *hand) types(s string, d time.Duration) string {
	h.Helper()
	if _, err := h.near.Write([]byte(s)); err != nil {
		h.Fatal(err)
	}
	return h.hears(d)
}

func (h *hand) hears(d time.Duration) string {
	var b strings.Builder
	limit := time.After(d)
	for {
		select {
		case s := <-h.said:
			b.WriteString(s)
		case <-limit:
			return b.String()
		}
	}
}

// A driver that opens the port of a modem which was closed finds it gone, and nothing is
// left running.
func TestVoiceModemClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := NewExchange(ExchangeConfig{})
		defer x.Close()
		m := NewVoiceModem(CX930xx, x)
		_ = m.Close()
		near, far := NewWire()
		m.Plug(far)
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, hal.ErrGone) {
			t.Errorf("read: %v", err)
		}
	})
}

func TestVoiceModemCommands(t *testing.T) {
	for _, m := range []VoiceModel{CX930xx, USR5637} {
		typing(t, m, ExchangeConfig{}, func(h *hand) {
			for _, s := range []struct{ cmd, want string }{
				{"AT", "AT\r\r\nOK\r\n"}, {"ATE0", "ATE0\r\r\nOK\r\n"}, {"ATE0V1X4", "\r\nOK\r\n"}, {"AT+FCLASS=?", ",8\r\n"}, {"AT+VTR", "ERROR"},
				{"AT+VSM=131,8000", "ERROR"}, {"AT+FCLASS=8", "OK"}, {"AT+VSM=?", "131,"}, {"AT+VSM=131,8000", "OK"}, {"AT+VTR=?", "ERROR"},
				{"AT+VTR", "ERROR"}, {"AT+NONSENSE", "ERROR"}, {"AT+FCLASS?", "\r\n8\r\n"}, {"AT+VLS=1", "OK"}, {"AT+VGT=128;+VGR=128", "OK"},
				{"AT+VLS=0;+FCLASS=0", "OK"}, {"ATI0", "56"},
			} {
				if got := h.types(s.cmd+"\r", 100*time.Millisecond); !strings.Contains(got, s.want) {
					h.Errorf("%s: %s is answered %q, want %q in it", m, s.cmd, got, s.want)
				}
			}
		})
	}
}

// Every sample of 10 hex is doubled in both directions, and 10 03 ends the stream.
func TestVoiceModemShields(t *testing.T) {
	typing(t, CX930xx, ExchangeConfig{Reversal: true}, func(h *hand) {
		for _, c := range []string{"ATE0", "AT+FCLASS=8", "AT+VSM=131,8000", "AT+VLS=1"} {
			h.types(c+"\r", 100*time.Millisecond)
		}
		h.hears(2 * time.Second)
		if got := h.types("ATDT5550123;\r", 8*time.Second); !strings.Contains(got, "OK") {
			h.Fatalf("dialled: %q", got)
		}
		if err := h.line.Answer(); err != nil {
			h.Fatal(err)
		}
		if got := h.types("AT+VTR\r", 50*time.Millisecond); !strings.Contains(got, "CONNECT") {
			h.Errorf("AT+VTR is answered %q", got)
		}
		said := make([]int16, stepSamples)
		for i := range said {
			said[i] = muDecode(dle)
		}
		go h.line.Say(h.Context(), said) //nolint:errcheck // heard below
		if _, err := h.near.Write(append([]byte{dle}, bytes.Repeat([]byte{dle}, 2*stepSamples-1)...)); err != nil {
			h.Fatal(err)
		}
		got := h.hears(500 * time.Millisecond)
		if n := strings.Count(got, string([]byte{dle, dle})); n != stepSamples {
			h.Errorf("%d shielded samples, want %d", n, stepSamples)
		}
		heard := 0
		for _, v := range h.line.Heard() {
			if v == muDecode(dle) {
				heard++
			}
		}
		if heard != stepSamples {
			h.Errorf("the far end heard %d samples, want %d", heard, stepSamples)
		}
		if got := h.types("\x10\x03", 200*time.Millisecond); strings.Contains(got, "OK") {
			h.Error("a Conexant modem leaves the duplex for ETX")
		}
		if got := h.types("\x10^", 200*time.Millisecond); !strings.Contains(got, "\x10\x03\r\nOK") {
			h.Errorf("the end is %q", got[max(0, len(got)-20):])
		}
	})
}

// Two exchanges connect their lines: one dials, the other rings, and both hear each other.
func TestExchangesCallEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := NewExchange(ExchangeConfig{Number: "5550161", Country: "DE"}), NewExchange(ExchangeConfig{Number: "5550162", Country: "DE"})
		Connect(a, b)
		var rang, told bool
		step := func(d time.Duration, sa, sb int16) (ha, hb int) {
			tx, ty := make([]int16, stepSamples), make([]int16, stepSamples)
			for i := range tx {
				tx[i], ty[i] = sa, sb
			}
			for range int(d / stepTime) {
				var rx [stepSamples]int16
				a.step(tx, rx[:])
				for _, v := range rx {
					if v == sb {
						ha++
					}
				}
				for _, e := range b.step(ty, rx[:]) {
					rang = rang || e == evRing
					told = told || e == evCallerID
				}
				for _, v := range rx {
					if v == sa {
						hb++
					}
				}
			}
			return ha, hb
		}
		a.hook(true)
		step(2*time.Second, 0, 0)
		for _, c := range []byte("5550162") {
			a.dial(c, false)
		}
		step(5*time.Second, 0, 0)
		if number, _, kind := b.callerID(); !rang || !told || number != "5550161" || kind != ETSI {
			t.Errorf("rang %v, told %v, caller %q by %s", rang, told, number, kind)
		}
		b.hook(true)
		if a.State() != "talking" || b.State() != "talking" {
			t.Fatalf("a is %s, b is %s", a.State(), b.State())
		}
		step(time.Second, 0, 0)
		if ha, hb := step(time.Second, 1000, 2000); ha < 7500 || hb < 7500 {
			t.Errorf("a hears %d samples of b, b %d of a", ha, hb)
		}
		b.hook(false)
		if a.State() != "busy tone" {
			t.Errorf("a is %s", a.State())
		}
		a.hook(false)
		if err := a.WaitIdle(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestFates(t *testing.T) {
	for digits, want := range map[string]Fate{"": Incomplete, "86": Incomplete, "5550186": IsBusy, "5550134": Congested, "5550104": Barred, "5550108": DeadAir, "5550123": Rings} {
		if got := TestNumbers(digits); got != want {
			t.Errorf("%q: %v, want %v", digits, got, want)
		}
	}
}

// Every fault of a line can be switched on and off again by its name.
func TestLineDeskFaults(t *testing.T) {
	x := NewExchange(ExchangeConfig{Host: true, Reversal: true})
	m := NewVoiceModem(CX930xx, x)
	d := NewLineDesk(x, m)
	defer x.Close()
	defer m.Close()
	path, err := d.Port()
	if err != nil {
		t.Fatal(err)
	}
	value := map[string]string{"corrupt": "0.01", "rate-ppm": "-200", "hang-up": "silence"}
	for _, f := range d.Faults() {
		on := value[f.Name]
		if on == "" {
			on = "on"
		}
		for _, v := range []string{on, "off"} {
			if err := d.SetFault(f.Name, v); err != nil {
				t.Errorf("%s %s: %v", f.Name, v, err)
			}
			for _, g := range d.Faults() {
				if g.Name == f.Name && g.Value != v && f.Name != "hang-up" {
					t.Errorf("%s is %s after %s", f.Name, g.Value, v)
				}
			}
		}
	}
	if err := d.SetFault("mood", "on"); err == nil {
		t.Error("an unknown fault is accepted")
	}
	if err := d.SetFault("hang-up", "loudly"); err == nil {
		t.Error("an unknown way to hang up is accepted")
	}
	again, err := d.Port()
	if err != nil || again == "" {
		t.Errorf("after it was put back: %q (it was %q), %v", again, path, err)
	}
	if err := d.SetFault("unplugged", "on"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Port(); !errors.Is(err, hal.ErrGone) {
		t.Errorf("the port of an unplugged modem: %v", err)
	}
	if err := d.Do(context.Background(), "sing", ""); err == nil || !strings.Contains(err.Error(), "wait-call") {
		t.Errorf("Do = %v", err)
	}
	if err := d.Do(context.Background(), "number", "5550199"); err != nil || d.State()[3].Value != "5550199" {
		t.Errorf("number: %v %v", err, d.State())
	}
}
