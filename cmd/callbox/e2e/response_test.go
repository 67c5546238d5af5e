//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// registerCount makes every register a transaction of its own.
var registerCount atomic.Int64

// register is a REGISTER without credentials, to which a known user gets a 401.
// via is sent-by with its parameters.
func register(user, via string) string {
	n := registerCount.Add(1)
	return fmt.Sprintf("REGISTER sip:box.example SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKregister%d\r\nFrom: <sip:%s@box.example>;tag=f%d\r\n"+
		"To: <sip:%s@box.example>\r\nCall-ID: register-%d\r\nCSeq: 1 REGISTER\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
		via, n, user, n, user, n)
}

// exchange writes a message to one connection and reads its answer from another.
func exchange(t *testing.T, to, from net.Conn, message string) string {
	t.Helper()
	if _, err := to.Write([]byte(message)); err != nil {
		t.Fatal(err)
	}
	from.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 65536)
	n, err := from.Read(buf)
	if err != nil {
		t.Fatalf("no answer to\n%s\n%v", message, err)
	}
	return string(buf[:n])
}

// TestResponsePath: where the answer to a request goes when the sender names
// another port, host or nothing in its Via, with rport (RFC 3581) and without
// (RFC 3261 §18.2).
func TestResponsePath(t *testing.T) {
	g := startGateway(t, twoUsers)
	box, err := net.ResolveUDPAddr("udp", g.sip)
	if err != nil {
		t.Fatal(err)
	}
	host := net.IPv4(127, 0, 0, 43) // of nobody else, so that its 5060 is free
	open := func(port int) *net.UDPConn {
		t.Helper()
		c, err := net.DialUDP("udp", &net.UDPAddr{IP: host, Port: port}, box)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	source, other, usual := open(0), open(0), open(5060)
	port := func(c *net.UDPConn) string { return strconv.Itoa(c.LocalAddr().(*net.UDPAddr).Port) }
	for name, tc := range map[string]struct {
		via             string
		at              *net.UDPConn
		received, rport string
	}{
		"the port in Via":                    {host.String() + ":" + port(other), other, "", ""},
		"no port in Via":                     {host.String(), usual, "", ""},
		"a name in Via":                      {"pc33.atlanta.example:" + port(other), other, host.String(), ""},
		"a name without a port":              {"pc33.atlanta.example", usual, host.String(), ""},
		"another address of the sender":      {"192.0.2.43:" + port(other), other, host.String(), ""},
		"a private address behind a NAT":     {"192.168.7.10:" + port(other), source, host.String(), ""},
		"rport":                              {host.String() + ":" + port(other) + ";rport", source, host.String(), port(source)},
		"rport behind a NAT":                 {"192.168.7.10:5060;rport", source, host.String(), port(source)},
		"rport and a name":                   {"pc33.atlanta.example;rport", source, host.String(), port(source)},
		"rport of another address":           {"192.0.2.43:5060;rport", source, host.String(), port(source)},
		"somebody wrote received and rport=": {"192.0.2.43;received=192.0.2.99;rport=9", source, host.String(), port(source)},
	} {
		t.Run(name, func(t *testing.T) {
			res := exchange(t, source, tc.at, register("alice", tc.via))
			if !strings.HasPrefix(res, "SIP/2.0 401 ") {
				t.Errorf("the answer is\n%s", res)
			}
			if got := headerParam(res, "Via", "received"); got != tc.received {
				t.Errorf("received=%q, want %q\n%s", got, tc.received, res)
			}
			if got := headerParam(res, "Via", "rport"); got != tc.rport {
				t.Errorf("rport=%q, want %q\n%s", got, tc.rport, res)
			}
		})
	}
	// On a connection the answer comes back on it, whatever Via says (§18.2.2).
	c, err := net.Dial("tcp", g.sip)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for via, rport := range map[string]string{"pc33.atlanta.example:9": "", "pc33.atlanta.example;rport": strconv.Itoa(c.LocalAddr().(*net.TCPAddr).Port)} {
		res := exchange(t, c, c, strings.Replace(register("bob", via), "SIP/2.0/UDP", "SIP/2.0/TCP", 1))
		if !strings.HasPrefix(res, "SIP/2.0 401 ") || headerParam(res, "Via", "received") != "127.0.0.1" || headerParam(res, "Via", "rport") != rport {
			t.Errorf("over TCP with %s the answer is\n%s", via, res)
		}
	}
}
