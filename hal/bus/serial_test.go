package bus

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/creack/pty"
)

// openPTY gives a serial port on a pseudo terminal, and the terminal's far end.
func openPTY(t *testing.T) (s *Serial, far *os.File, c SerialConfig) {
	t.Helper()
	far, near, err := pty.Open()
	if err != nil {
		t.Fatalf("this machine gives no pseudo terminals: %v", err)
	}
	c = SerialConfig{Path: near.Name(), LockDir: t.TempDir()}
	if s, err = OpenSerial(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(); _ = far.Close() })
	// From now on only the port keeps the near end open.
	if err := near.Close(); err != nil {
		t.Fatal(err)
	}
	return s, far, c
}

// Every byte passes unchanged both ways.
func TestSerialIsTransparent(t *testing.T) {
	s, far, _ := openPTY(t)
	var all []byte
	for i := range 256 {
		all = append(all, byte(i))
	}
	all = append(all, bytes.Repeat([]byte("0123456789"), 200)...) // more than one chunk
	if n, err := s.Write(all); n != len(all) || err != nil {
		t.Fatal(n, err)
	}
	got := make([]byte, len(all))
	if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, all) {
		t.Errorf("the far end got something else (%v)", err)
	}
	if _, err := far.Write(all[:256]); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(s, got[:256]); err != nil || !bytes.Equal(got[:256], all[:256]) {
		t.Errorf("we got something else (%v)", err)
	}
}

func TestSerialIsExclusive(t *testing.T) {
	s, _, c := openPTY(t)
	if _, err := OpenSerial(c); !errors.Is(err, ErrSerialBusy) {
		t.Errorf("opened twice: %v", err)
	}
	_ = s.Close()
	again, err := OpenSerial(c)
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
}

func TestSerialCloseEndsRead(t *testing.T) {
	s, _, _ := openPTY(t)
	done := make(chan error, 1)
	go func() {
		_, err := s.Read(make([]byte, 1))
		done <- err
	}()
	_ = s.Close()
	if err := <-done; err == nil {
		t.Error("a read of a closed port gave no error")
	}
	if _, err := s.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a write to a closed port: %v", err)
	}
}

// A device that has stopped draining costs its writer an error, no time, and
// Close frees what hangs.
func TestSerialStuck(t *testing.T) {
	s, _, _ := openPTY(t)
	block := bytes.Repeat([]byte{'x'}, serialChunk)
	var err error
	for range 10 * serialQueue {
		if _, err = s.Write(block); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrSerialStuck) {
		t.Errorf("got %v", err)
	}
	if _, again := s.Write(block); !errors.Is(again, ErrSerialStuck) {
		t.Errorf("later: %v", again)
	}
	_ = s.Close() // waits for the writer
}

func TestSerialGone(t *testing.T) {
	s, far, _ := openPTY(t)
	_ = far.Close()
	if _, err := s.Read(make([]byte, 1)); err == nil {
		t.Error("a read of a port whose device has gone gave no error")
	}
	if _, err := OpenSerial(SerialConfig{Path: "/dev/does-not-exist", LockDir: t.TempDir()}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
