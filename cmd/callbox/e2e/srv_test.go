//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// names is a name server that can fall silent: at all, or on names that end with mute.
type names struct {
	dead atomic.Bool
	mute atomic.Value // string; none: all are answered
}

// silent reports whether a question gets no answer.
func (n *names) silent(name string) bool {
	mute, _ := n.mute.Load().(string)
	return n.dead.Load() || mute != "" && strings.HasSuffix(name, mute)
}

// nameServer answers for the records of a zone on UDP port 53 of 127.0.0.1.
func nameServer(t *testing.T, zone ...string) *names {
	t.Helper()
	n := &names{}
	records := map[dns.Question][]dns.RR{}
	for _, line := range zone {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		h := rr.Header()
		q := dns.Question{Name: h.Name, Qtype: h.Rrtype, Qclass: h.Class}
		records[q] = append(records[q], rr)
	}
	pc, err := net.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	started, ended := make(chan struct{}), make(chan struct{})
	s := &dns.Server{PacketConn: pc, NotifyStartedFunc: func() { close(started) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		q := m.Question[0]
		q.Name = strings.ToLower(q.Name)
		res := new(dns.Msg)
		res.SetReply(m)
		res.Answer = records[q]
		if !n.silent(q.Name) {
			w.WriteMsg(res)
		}
	})}
	go func() { defer close(ended); s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { s.Shutdown(); <-ended })
	return n
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
	nameServer(t,
		"_sip._udp.west.example. SRV 20 0 5077 b.west.example.", "_sip._udp.west.example. SRV 10 0 5076 a.west.example.",
		"_sip._tcp.east.example. SRV 10 0 5076 a.east.example.", "_sip._tcp.east.example. SRV 20 0 5078 b.east.example.", // nobody is at a
		"_sips._tcp.safe.example. SRV 10 0 5079 a.safe.example.",
		`north.example. NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.servers.example.`, `north.example. NAPTR 20 10 "s" "SIP+D2U" "" _sip._udp.servers.example.`,
		"_sip._tcp.servers.example. SRV 10 0 5081 a.north.example.", "_sip._udp.north.example. SRV 1 0 5070 a.west.example.",
		"_sip._udp.south.example. SRV 10 0 5082 a.south.example.", "_sip._udp.south.example. SRV 20 0 5082 b.south.example.",
		"a.west.example. A 127.0.0.21", "b.west.example. A 127.0.0.22", "a.east.example. A 127.0.0.23", "b.east.example. A 127.0.0.24",
		"a.safe.example. A 127.0.0.25", "west.example. A 127.0.0.26", "a.north.example. A 127.0.0.27",
		"a.south.example. A 127.0.0.28", "b.south.example. A 127.0.0.29",
	)
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
- {name: north, host: north.example}
- {name: south, host: south.example}
routes:
- {name: west, prefix: "+1415", lines: [west]}
- {name: west-itself, prefix: "+1416", lines: [west-itself]}
- {name: east, prefix: "+1212", lines: [east]}
- {name: safe, prefix: "+1312", lines: [safe]}
- {name: north, prefix: "+1218", lines: [north]}
- {name: south, prefix: "+1205", lines: [south]}
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
		"NAPTR":  {"+12185550123", "127.0.0.27", 5081, "t1"},
		"a port": {"+14165550123", "127.0.0.26", 5060, "u1"},
	} {
		t.Run(name, func(t *testing.T) {
			at := place{addr: tc.at}
			s := at.startSIPp(t, tc.port, 1, recv("INVITE")+established+hungUp, "-t", tc.transport)
			if tc.transport == "t1" {
				at.listens(t, tc.port)
			}
			sid := dial(tc.number)
			g.until(sid, "completed")
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			s.succeeds(ctx)
		})
	}
	t.Run("failover", func(t *testing.T) {
		silent, second := listenUDP(t, "127.0.0.28:5082"), listenUDP(t, "127.0.0.29:5082")
		sid := dial("+12055550123")
		_, _ = nextRequest(t, silent, "INVITE")
		invite, from := nextRequest(t, second, "INVITE")
		refuse(second, from, invite, "486 Busy Here")
		g.until(sid, "busy")
		asked := g.asked(sid)
		if took := asked["127.0.0.29:5082"].Sub(asked["127.0.0.28:5082"]); len(asked) != 2 || took < 3*time.Second || took > failedOver {
			t.Errorf("the second server was asked %v after the first: %v", took, asked)
		}
		sid = dial("+12055550123")
		invite, from = nextRequest(t, second, "INVITE")
		refuse(second, from, invite, "486 Busy Here")
		g.until(sid, "busy")
		if asked := g.asked(sid); len(asked) != 1 || asked["127.0.0.29:5082"].IsZero() {
			t.Errorf("the silent server was waited for again: %v", asked)
		}
	})
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
		case <-time.After(patience):
			t.Error("nobody came to the port in the SRV record")
		}
		if rec := g.until(sid, "failed"); rec["status"] != "failed" {
			t.Errorf("record %v", rec)
		}
	})
}

// failedOver is within what time of the box's own clock the next server is asked when
// one says nothing: 3.5 s, and a second for a machine that has other things to do.
const failedOver = 4500 * time.Millisecond

// asked gives when the box sent the first INVITE of a call, by where it went.
func (g *gateway) asked(sid string) map[string]time.Time {
	g.t.Helper()
	var entries []struct {
		At           time.Time
		Sent         bool
		Remote, Text string
	}
	if err := json.Unmarshal([]byte(g.run("trace", "-o", "json", sid)), &entries); err != nil {
		g.t.Fatal(err)
	}
	at := map[string]time.Time{}
	for _, e := range entries {
		if e.Sent && strings.HasPrefix(e.Text, "INVITE ") && at[e.Remote].IsZero() {
			at[e.Remote] = e.At
		}
	}
	return at
}

func listenUDP(t *testing.T, addr string) net.PacketConn {
	t.Helper()
	pc, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	return pc
}

// nextRequest takes the next request with a method.
func nextRequest(t *testing.T, pc net.PacketConn, method string) (string, net.Addr) {
	t.Helper()
	buf := make([]byte, 65536)
	pc.SetReadDeadline(time.Now().Add(patience))
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			t.Fatalf("no %s came: %v", method, err)
		}
		if strings.HasPrefix(string(buf[:n]), method+" ") {
			return string(buf[:n]), from
		}
	}
}

// refuse answers a request with a status.
func refuse(pc net.PacketConn, to net.Addr, request, status string) {
	var b strings.Builder
	b.WriteString("SIP/2.0 " + status + "\r\n")
	for line := range strings.SplitSeq(request, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "To":
			fmt.Fprintf(&b, "To:%s;tag=%d\r\n", value, time.Now().UnixNano())
		case "Via", "From", "Call-ID", "CSeq":
			b.WriteString(line + "\r\n")
		}
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	pc.WriteTo([]byte(b.String()), to)
}
