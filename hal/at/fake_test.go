package at

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// modem is the far end of a pipe: it hands what it was told to a function, up
// to a carriage return or Ctrl-Z, and says what that gives.
type modem struct {
	conn net.Conn
	wg   sync.WaitGroup
	mu   sync.Mutex
	got  []string // mu
	say  chan string
}

// newModem answers by f; the engine and the modem are closed at the end.
func newModem(t *testing.T, cfg Config, f func(line string) string) (*Engine, *modem) {
	t.Helper()
	near, far := net.Pipe()
	m := &modem{conn: far, say: make(chan string, 100)}
	m.wg.Go(func() {
		for s := range m.say {
			if _, err := io.WriteString(far, s); err != nil {
				return
			}
		}
	})
	m.wg.Go(func() {
		defer close(m.say)
		var line []byte
		b := make([]byte, 1)
		for {
			if _, err := far.Read(b); err != nil {
				return
			}
			if line = append(line, b[0]); b[0] != '\r' && b[0] != 0x1A && b[0] != 0x1B {
				continue
			}
			s := strings.TrimSuffix(string(line), "\r")
			line = nil
			m.mu.Lock()
			m.got = append(m.got, s)
			m.mu.Unlock()
			if a := f(s); a != "" {
				m.say <- a
			}
		}
	})
	e := New(near, cfg)
	t.Cleanup(func() { m.wg.Wait() })
	t.Cleanup(func() { _ = e.Close(); _ = far.Close() })
	return e, m
}

// told is what the modem was told so far.
func (m *modem) told() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.got, "|")
}

// bubble runs f in a testing/synctest bubble.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// must asks and fails the test when that fails.
func must(t *testing.T, e *Engine, cmd Command) Response {
	t.Helper()
	r, err := e.Do(context.Background(), cmd)
	if err != nil {
		t.Fatalf("%s: %v", cmd.Text, err)
	}
	return r
}

// drain gives the URCs that wait.
func drain(e *Engine) []string {
	synctest.Wait()
	var list []string
	for {
		select {
		case u, ok := <-e.URCs():
			if !ok {
				return list
			}
			if u.Body != "" {
				u.Line += "+" + u.Body
			}
			if u.Code != 0 {
				u.Line = "DLE " + string(u.Code)
			}
			list = append(list, u.Line)
		default:
			return list
		}
	}
}
