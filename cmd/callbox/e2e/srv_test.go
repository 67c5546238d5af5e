//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// nameServer answers SRV and A queries on UDP port 53 of 127.0.0.1: enough of RFC
// 1035 for a resolver that asks one question at a time. A zone maps "A name" to
// addresses and "SRV name" to "priority weight port target".
func nameServer(t *testing.T, zone map[string][]string) {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if n > 12 {
				pc.WriteTo(nameAnswer(buf[:n], zone), from)
			}
		}
	}()
	t.Cleanup(func() { pc.Close(); <-done })
}

// nameAnswer is the answer to a query, whose question it repeats.
func nameAnswer(query []byte, zone map[string][]string) []byte {
	var labels []string
	p := 12
	for p < len(query) && query[p] != 0 {
		end := min(p+1+int(query[p]), len(query))
		labels = append(labels, string(query[p+1:end]))
		p = end
	}
	p += 5 // the root, type and class
	if p > len(query) {
		return query[:12]
	}
	kind := binary.BigEndian.Uint16(query[p-4:])
	name := map[uint16]string{1: "A ", 33: "SRV "}[kind] + strings.ToLower(strings.Join(labels, "."))
	out := append([]byte(nil), query[:p]...)
	out[2], out[3] = 0x84, 0 // a response, with authority
	records := zone[name]
	for i := 6; i < 12; i++ {
		out[i] = 0
	}
	binary.BigEndian.PutUint16(out[6:], uint16(len(records)))
	for _, r := range records {
		out = append(out, 0xc0, 12) // the name of the question
		out = binary.BigEndian.AppendUint16(out, kind)
		out = append(out, 0, 1, 0, 0, 0, 60) // class IN, a minute
		var data []byte
		if kind == 33 {
			f := strings.Fields(r)
			for _, v := range f[:3] {
				n, _ := strconv.Atoi(v)
				data = binary.BigEndian.AppendUint16(data, uint16(n))
			}
			for _, l := range strings.Split(f[3], ".") {
				data = append(append(data, byte(len(l))), l...)
			}
			data = append(data, 0)
		} else {
			data = net.ParseIP(r).To4()
		}
		out = append(binary.BigEndian.AppendUint16(out, uint16(len(data))), data...)
	}
	return out
}

// TestServiceRecords dials trunks that have a name and no port: their SRV records
// say where they are (RFC 3263), for TLS as for UDP, the first by priority first,
// and the next when nobody is there. A port that somebody wrote is taken as it is.
func TestServiceRecords(t *testing.T) {
	t.Parallel()
	if !ownNetwork(t) {
		return
	}
	resolvConf(t)
	nameServer(t, map[string][]string{
		"SRV _sip._udp.west.example":  {"20 0 5077 b.west.example", "10 0 5076 a.west.example"},
		"SRV _sip._tcp.east.example":  {"10 0 5076 a.east.example", "20 0 5078 b.east.example"}, // nobody is at a
		"SRV _sips._tcp.safe.example": {"10 0 5079 a.safe.example"},
		"A a.west.example":            {"127.0.0.21"}, "A b.west.example": {"127.0.0.22"},
		"A a.east.example": {"127.0.0.23"}, "A b.east.example": {"127.0.0.24"},
		"A a.safe.example": {"127.0.0.25"}, "A west.example": {"127.0.0.26"},
	})
	a := newApp(t)
	a.doc("/voice", `<Response><Hangup/></Response>`)
	g := &gateway{t: t, dir: t.TempDir(), listen: "127.0.0.1:5060"}
	g.start()
	g.configure(`
trunks:
- {name: west, host: west.example}
- {name: west-itself, host: west.example, port: 5060}
- {name: east, host: east.example, transport: tcp}
- {name: safe, host: safe.example, transport: tls}
routes:
- {name: west, prefix: "+1415", lines: [west]}
- {name: west-itself, prefix: "+1416", lines: [west-itself]}
- {name: east, prefix: "+1212", lines: [east]}
- {name: safe, prefix: "+1312", lines: [safe]}
`)
	dial := func(number string) string {
		return g.create(url.Values{"To": {number}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	}
	for name, tc := range map[string]struct {
		number    string
		at        string
		port      int
		transport string
	}{
		"UDP": {"+14155550123", "127.0.0.21", 5076, "u1"}, "TCP, the second": {"+12125550123", "127.0.0.24", 5078, "t1"},
		"a port": {"+14165550123", "127.0.0.26", 5060, "u1"},
	} {
		t.Run(name, func(t *testing.T) {
			at := place{addr: tc.at}
			s := at.startSIPp(t, tc.port, 1, recv("INVITE")+established+hungUp, "-t", tc.transport)
			if tc.transport == "t1" {
				at.listens(t, tc.port)
			}
			sid := dial(tc.number)
			g.until(sid, "completed", 60*time.Second)
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			s.succeeds(ctx)
		})
	}
	t.Run("TLS", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.25:5079")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		sid := dial("+13125550123")
		asked := make(chan string, 1)
		go func() {
			c, err := ln.Accept()
			if err != nil {
				asked <- err.Error()
				return
			}
			defer c.Close()
			// The box trusts no certificate of ours: that it knocks at all, and asks for
			// the domain (RFC 5922 §7.1), is what counts.
			err = tls.Server(c, &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
				asked <- h.ServerName
				return nil, errors.New("none")
			}}).Handshake()
			select {
			case asked <- fmt.Sprint(err):
			default:
			}
		}()
		select {
		case name := <-asked:
			if name != "safe.example" {
				t.Errorf("asked for %q", name)
			}
		case <-time.After(30 * time.Second):
			t.Error("nobody came to the port in the SRV record")
		}
		if rec := g.until(sid, "failed", 60*time.Second); rec["status"] != "failed" {
			t.Errorf("record %v", rec)
		}
	})
}
