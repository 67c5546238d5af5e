//go:build e2e

package e2e

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestStreamStorm sends what is no SIP over TCP and TLS, from the trunk's own
// address: random and broken streams, messages that are never finished, bytes that
// come one by one, handshakes that stop, connections that are reset. The process
// lives, lets all of them go, and takes a good call right after.
func TestStreamStorm(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.doc("/voice", `<Response><Pause length="1"/></Response>`)
	a.doc("/in", `<Response><Reject/></Response>`)
	g, port := trunked(t, a, "")
	g.settled()
	before := g.metrics()
	c := newRawCaller(t, g, "stream", freePorts(t, 2))
	var seeds [][]byte
	for i, m := range []string{"INVITE", "BYE", "CANCEL", "ACK", "OPTIONS", "REGISTER", "INFO", "UPDATE", "PRACK", "SUBSCRIBE", "REFER"} {
		seeds = append(seeds, []byte(strings.ReplaceAll(c.request(m, fmt.Sprint(i), i), "SIP/2.0/UDP", "SIP/2.0/TCP")))
	}
	var slow []net.Conn
	for i := range 10 { // they stay until the box has had enough
		addr := g.sip
		if i%2 == 1 {
			addr = g.tls
		}
		s, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		slow = append(slow, s)
	}
	drip := make(chan struct{})
	var dripping sync.WaitGroup
	dripping.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			for _, s := range slow {
				s.Write(seeds[4][i%40 : i%40+1])
			}
			select {
			case <-tick.C:
			case <-drip:
				return
			}
		}
	})
	var storm sync.WaitGroup
	for worker := range 4 {
		storm.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(worker))) // the same storm each time
			for i := range 150 {
				streamGarbage(g, r, seeds, i)
			}
		})
	}
	storm.Wait()
	// A silent stranger has 10 s, a message that has begun 30 s.
	poll(t, "the slow ones are let go", func() bool {
		for _, s := range slow {
			s.SetReadDeadline(time.Now().Add(time.Millisecond))
			if _, err := s.Read(make([]byte, 4096)); err == nil || isTimeout(err) {
				return false
			}
		}
		return true
	})
	close(drip)
	dripping.Wait()
	p := newRawPhone(t, port, freePorts(t, 2), nil)
	sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	g.until(sid, "completed")
	poll(t, "BYE", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.ended })
	var after map[string]float64
	poll(t, "nothing is left", func() bool {
		after = g.metrics()
		return after["callbox_calls"] == 0 && after["go_goroutines"] <= before["go_goroutines"]+5
	})
	t.Logf("RSS %.1f MiB before, %.1f MiB after", before["process_resident_memory_bytes"]/1048576, after["process_resident_memory_bytes"]/1048576)
	if strings.Contains(g.log.String(), "panic") || after["callbox_sip_panics_total"] > 0 {
		t.Error("there was a panic")
	}
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}

// streamGarbage opens one connection, misuses it in one of several ways, and ends
// it.
func streamGarbage(g *gateway, r *rand.Rand, seeds [][]byte, i int) {
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	broken := func() []byte { return mutate(r, seeds[r.IntN(len(seeds))]) }
	addr, secured := g.sip, i%3 == 0
	if secured {
		addr = g.tls
	}
	raw, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return
	}
	defer raw.Close()
	conn := raw
	if secured && i%2 == 0 {
		tc := tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
		raw.SetDeadline(time.Now().Add(5 * time.Second))
		if tc.Handshake() == nil {
			conn = tc
		}
	}
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	switch r.IntN(7) {
	case 0:
		conn.Write(random(1 + r.IntN(5000)))
	case 1: // several messages in one piece, some broken
		for range 5 {
			conn.Write(append(broken(), seeds[r.IntN(len(seeds))]...))
		}
	case 2: // the first half of a message
		m := seeds[r.IntN(len(seeds))]
		conn.Write(m[:r.IntN(len(m))])
	case 3: // a body that never comes
		conn.Write([]byte(strings.Replace(string(seeds[0]), "Content-Length: ", "Content-Length: 6", 1)))
	case 4: // a header without end
		conn.Write([]byte("OPTIONS sip:a SIP/2.0\r\nVia: " + strings.Repeat("A", 100000)))
	case 5: // the beginning of a handshake, or what looks so
		conn.Write(append([]byte{22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3}, random(r.IntN(300))...))
	case 6:
		conn.Write([]byte(strings.Repeat("\r\n", 500)))
	}
	if tcp, ok := raw.(*net.TCPConn); ok && r.IntN(2) == 0 {
		tcp.SetLinger(0) // it is reset
	}
}
