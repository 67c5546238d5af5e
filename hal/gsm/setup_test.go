package gsm

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/hal"
	"callbox/hal/at"
	"callbox/hal/sim/cell"
)

// spoken is a modem's line on which some lines come and then no more.
type spoken struct {
	io.Reader
	closed chan struct{}
}

func (s *spoken) Read(b []byte) (int, error) {
	if n, err := s.Reader.Read(b); err == nil {
		return n, nil
	}
	<-s.closed
	return 0, io.EOF
}
func (s *spoken) Write(b []byte) (int, error) { return len(b), nil }
func (s *spoken) Close() error                { close(s.closed); return nil }

// TestRestartBeforeResult has a modem say that it has started anew just before a job's
// result is taken: the result is that of a session that there is no longer.
func TestRestartBeforeResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := NewHub(cell.NewRack(), nil)
		defer hub.Close()
		p := hub.Port(Config{Name: "gsm1"})
		// The port's goroutine is stopped, so that the test can be it.
		p.stop()
		<-p.done
		p.done, p.ctx, p.stop = make(chan struct{}), hub.ctx, hub.stop
		engine := at.New(&spoken{strings.NewReader("\r\nRDY\r\n"), make(chan struct{})}, at.Config{})
		p.take(&found{row: *named(t, "Quectel"), place: "1-1", engine: engine, trace: new(relay)})
		s := p.s
		synctest.Wait()
		ran := false
		p.result(s, func() { ran = true })
		if ran || p.s != nil {
			t.Errorf("the result of a modem that has restarted was taken: %v, session %v", ran, p.s)
		}
		close(p.done)
	})
}

// TestAskedModemGoes has a modem go while it is asked for something.
func TestAskedModemGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := NewHub(cell.NewRack(), nil)
		defer hub.Close()
		p := hub.Port(Config{Name: "gsm1"})
		engine := at.New(&spoken{strings.NewReader(""), make(chan struct{})}, at.Config{})
		p.found <- &found{row: *named(t, "Quectel"), place: "1-1", engine: engine, trace: new(relay)}
		synctest.Wait()
		asked := make(chan error, 1)
		go func() { asked <- p.request(t.Context(), func(func(error)) {}) }()
		synctest.Wait()
		_ = engine.Close()
		select {
		case err := <-asked:
			if err != hal.ErrNoCall {
				t.Errorf("the answer is %v", err)
			}
		case <-time.After(time.Minute):
			t.Error("nobody answers who has asked a modem that has gone")
		}
	})
}
