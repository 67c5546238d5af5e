//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// answering is a SIP server that answers OPTIONS as long as it is told to, and
// refuses calls as busy.
type answering struct {
	pc   net.PacketConn
	up   atomic.Bool
	asks atomic.Int64 // calls
}

func startAnswering(t *testing.T) *answering {
	t.Helper()
	a := &answering{pc: listenUDP(t, "127.0.0.1:0")}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 65536)
		for {
			n, from, err := a.pc.ReadFrom(buf)
			if err != nil {
				return
			}
			text := string(buf[:n])
			switch {
			case !a.up.Load():
			case strings.HasPrefix(text, "OPTIONS "):
				refuse(a.pc, from, text, "200 OK")
			case strings.HasPrefix(text, "INVITE "):
				a.asks.Add(1)
				refuse(a.pc, from, text, "486 Busy Here")
			}
		}
	}()
	t.Cleanup(func() { a.pc.Close(); <-done })
	return a
}

// TestKeepAlive has a route skip a trunk at once while its far end is away, say
// why, and go back to it by itself.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	first, second := startAnswering(t), startAnswering(t)
	second.up.Store(true)
	a := newApp(t)
	a.doc("/voice", `<Response><Hangup/></Response>`)
	port := func(a *answering) string { _, p, _ := net.SplitHostPort(a.pc.LocalAddr().String()); return p }
	g := startGateway(t, fmt.Sprintf(`
trunks:
- {name: first, host: 127.0.0.1, port: %s, keep_alive: 10s}
- {name: second, host: 127.0.0.1, port: %s, keep_alive: 10s}
routes:
- {name: all, prefix: "+", lines: [first, second]}
`, port(first), port(second)))
	status := func(line string, want bool, text string) {
		t.Helper()
		poll(t, line+" is as it should be", func() bool {
			ready, got := g.status(line)
			return ready == want && strings.Contains(got, text)
		})
	}
	dial := func() {
		t.Helper()
		sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
		g.until(sid, "busy")
	}
	status("first", false, "down: no answer from "+first.pc.LocalAddr().String())
	status("second", true, "answers")
	began := time.Now()
	dial()
	if took := time.Since(began); first.asks.Load() != 0 || second.asks.Load() != 1 || took > 3*time.Second {
		t.Errorf("%d calls to the first, %d to the second, after %v", first.asks.Load(), second.asks.Load(), took)
	}
	first.up.Store(true)
	status("first", true, "answers")
	dial()
	if first.asks.Load() != 1 {
		t.Error("the first was not called when it had come back")
	}
	first.up.Store(false)
	status("first", false, "down")
}
