package bus_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"callbox/hal"
	"callbox/hal/bus"
	"callbox/hal/sim"
)

func openTTY(t *testing.T) (*bus.TTY, *sim.Pty) {
	t.Helper()
	p, err := sim.OpenPty()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	tty, err := bus.OpenTTY(p.Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return tty, p
}

func soon() time.Time { return time.Now().Add(10 * time.Second) }

// TestTTYCarriesEveryByte: no byte means anything to the kernel.
func TestTTYCarriesEveryByte(t *testing.T) {
	tty, p := openTTY(t)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	if n, err := tty.TryWrite(all); n != len(all) || err != nil {
		t.Fatalf("TryWrite = %d, %v", n, err)
	}
	got := make([]byte, 300)
	n := 0
	for n < len(all) {
		k, err := p.Master.Read(got[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += k
	}
	if !bytes.Equal(got[:n], all) {
		t.Error("the far side read other bytes")
	}
	if _, err := p.Master.Write(all); err != nil {
		t.Fatal(err)
	}
	for n = 0; n < len(all); {
		k, err := tty.ReadUntil(got[n:], soon())
		if err != nil || k == 0 {
			t.Fatalf("ReadUntil = %d, %v", k, err)
		}
		n += k
	}
	if !bytes.Equal(got[:n], all) {
		t.Error("the near side read other bytes")
	}
}

// TestTTYNeverWaits: a far side that does not read stops nobody.
func TestTTYNeverWaits(t *testing.T) {
	tty, p := openTTY(t)
	b := make([]byte, 320)
	full := false
	for range 10000 {
		n, err := tty.TryWrite(b)
		if err != nil {
			t.Fatal(err)
		}
		if full = n < len(b); full {
			break
		}
	}
	if !full {
		t.Error("the line takes for ever")
	}
	if n, err := tty.ReadUntil(b, time.Now().Add(time.Millisecond)); n != 0 || err != nil {
		t.Errorf("ReadUntil of a silent line = %d, %v", n, err)
	}
	if _, err := p.Master.Write([]byte("stale")); err != nil {
		t.Fatal(err)
	}
	if err := tty.Discard(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Master.Write([]byte("new")); err != nil {
		t.Fatal(err)
	}
	if n, err := tty.ReadUntil(b, soon()); err != nil || string(b[:n]) != "new" {
		t.Errorf("after Discard: %q, %v", b[:n], err)
	}
}

func TestTTYUnplugged(t *testing.T) {
	tty, p := openTTY(t)
	done := make(chan error, 1)
	go func() {
		_, err := tty.ReadUntil(make([]byte, 10), soon())
		done <- err
	}()
	p.Close()
	if err := <-done; !errors.Is(err, hal.ErrGone) {
		t.Errorf("ReadUntil of an unplugged line: %v", err)
	}
	if _, err := tty.TryWrite([]byte("x")); !errors.Is(err, hal.ErrGone) {
		t.Errorf("TryWrite to an unplugged line: %v", err)
	}
	if _, err := bus.OpenTTY("/dev/no-such-tty"); !errors.Is(err, hal.ErrGone) {
		t.Errorf("OpenTTY of nothing: %v", err)
	}
}

func TestTTYCloseEndsRead(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	tty, _ := openTTY(t)
	done := make(chan error, 1)
	go func() {
		for {
			if _, err := tty.ReadUntil(make([]byte, 10), soon()); err != nil {
				done <- err
				return
			}
		}
	}()
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, hal.ErrClosed) {
		t.Errorf("ReadUntil after Close: %v", err)
	}
	if err := tty.Discard(); !errors.Is(err, hal.ErrClosed) {
		t.Errorf("Discard after Close: %v", err)
	}
}

func TestTTYDoesNotAllocate(t *testing.T) {
	tty, p := openTTY(t)
	out, in, far := make([]byte, 320), make([]byte, 320), make([]byte, 320)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := tty.TryWrite(out); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Master.Read(far); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Master.Write(far); err != nil {
			t.Fatal(err)
		}
		if _, err := tty.ReadUntil(in, soon()); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a frame", n)
	}
}
