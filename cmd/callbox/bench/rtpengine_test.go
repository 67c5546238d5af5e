//go:build bench

package bench

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// ngProtocol is a client of rtpengine's control protocol: a cookie, a space and
// a bencoded dictionary, in one datagram each way.
type ngProtocol struct {
	conn *net.UDPConn
	n    int
}

// startRTPEngine starts rtpengine without its kernel module.
func startRTPEngine(dir string) (*subject, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p, err := startProcess(dir, "rtpengine", "--config-file=none", "--table=-1", "--interface=127.0.0.1",
		"--listen-ng="+loopback(port).String(), "--port-min=22000", "--port-max=23999",
		"--foreground", "--log-stderr", "--log-level=3", "--delete-delay=0", "--timeout=60")
	if err != nil {
		return nil, fmt.Errorf("%w; scripts/setup.sh bench installs it", err)
	}
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(loopback(port)))
	if err != nil {
		p.stop()
		return nil, err
	}
	ng := &ngProtocol{conn: conn}
	err = until(10*time.Second, "rtpengine answers", func() bool {
		d, err := ng.ask(200*time.Millisecond, "command", "ping")
		return err == nil && d["result"] == "pong"
	})
	if err != nil {
		conn.Close()
		p.stop()
		return nil, p.failure(err.Error())
	}
	return &subject{process: p, ng: ng}, nil
}

// ask sends a dictionary of strings, given as key, value, …, and gives the
// strings of the answer.
func (c *ngProtocol) ask(patience time.Duration, pairs ...string) (map[string]string, error) {
	c.n++
	cookie := strconv.Itoa(c.n)
	var b strings.Builder
	b.WriteString(cookie + " d")
	for _, s := range pairs {
		fmt.Fprintf(&b, "%d:%s", len(s), s)
	}
	b.WriteString("e")
	if _, err := c.conn.Write([]byte(b.String())); err != nil {
		return nil, err
	}
	if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	buf := make([]byte, 65536)
	for {
		n, err := c.conn.Read(buf)
		if err != nil {
			return nil, err
		}
		got, text, _ := strings.Cut(string(buf[:n]), " ")
		if got != cookie {
			continue // the answer to a question that was given up
		}
		v, _, err := bdecode(text)
		if err != nil {
			return nil, err
		}
		out := map[string]string{}
		d, ok := v.(map[string]any)
		if !ok {
			return nil, errors.New("rtpengine's answer is not a dictionary")
		}
		for k, x := range d {
			if s, ok := x.(string); ok {
				out[k] = s
			}
		}
		if out["result"] == "error" {
			return nil, fmt.Errorf("rtpengine refuses %s: %s", pairs[1], out["error-reason"])
		}
		return out, nil
	}
}

var errBencode = errors.New("not bencoded")

// bdecode reads one bencoded value and gives what follows it.
func bdecode(s string) (any, string, error) {
	if s == "" {
		return nil, "", errBencode
	}
	switch s[0] {
	case 'i':
		n, rest, ok := strings.Cut(s[1:], "e")
		if !ok {
			return nil, "", errBencode
		}
		v, err := strconv.ParseInt(n, 10, 64)
		return v, rest, err
	case 'l', 'd':
		var list []any
		rest := s[1:]
		for rest != "" && rest[0] != 'e' {
			v, r, err := bdecode(rest)
			if err != nil {
				return nil, "", err
			}
			list, rest = append(list, v), r
		}
		if rest == "" {
			return nil, "", errBencode
		}
		if s[0] == 'l' {
			return list, rest[1:], nil
		}
		d := map[string]any{}
		for i := 0; i+1 < len(list); i += 2 {
			d[fmt.Sprint(list[i])] = list[i+1]
		}
		return d, rest[1:], nil
	}
	length, rest, ok := strings.Cut(s, ":")
	n, err := strconv.Atoi(length)
	if !ok || err != nil || n < 0 || n > len(rest) {
		return nil, "", errBencode
	}
	return rest[:n], rest[n:], nil
}

// bridge makes n calls between two ears by offer and answer.
func (c *ngProtocol) bridge(ears [2]*ear, n int) ([]leg, error) {
	var legs []leg
	for i := range n {
		id := fmt.Sprintf("bench%d", i)
		var to [2]netip.AddrPort // where each side sends
		for side, command := range []string{"offer", "answer"} {
			sdp := session(ears[side].addr.Addr().String(), int(ears[side].addr.Port()), 0)
			pairs := []string{"command", command, "call-id", id, "from-tag", "a", "ICE", "remove", "sdp", sdp}
			if command == "answer" {
				pairs = append(pairs, "to-tag", "b")
			}
			d, err := c.ask(2*time.Second, pairs...)
			if err != nil {
				return nil, err
			}
			// What comes back is for the other side.
			if to[1-side], err = soundOf(d["sdp"]); err != nil {
				return nil, err
			}
		}
		legs = append(legs, leg{0, to[0]}, leg{1, to[1]})
	}
	return legs, nil
}

// release ends n calls.
func (c *ngProtocol) release(n int) error {
	for i := range n {
		if _, err := c.ask(2*time.Second, "command", "delete", "call-id", fmt.Sprintf("bench%d", i), "from-tag", "a"); err != nil {
			return err
		}
	}
	return nil
}
