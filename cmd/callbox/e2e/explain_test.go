//go:build e2e

package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestExplain lets calls fail in many ways: in each the record's sentence says
// who failed and how, with what the far end wrote itself; `callbox trace` ends
// with the same sentence and shows the response, if one came.
func TestExplain(t *testing.T) {
	t.Parallel()
	silent, gone := listenUDP(t, "127.0.0.1:0"), listenUDP(t, "127.0.0.1:0")
	gonePort := portOf(gone)
	gone.Close()
	a := newApp(t)
	_, plainPort, _ := net.SplitHostPort(a.Listener.Addr().String())
	strange := httptest.NewTLSServer(nil) // its certificate is of no CA that the box knows
	defer strange.Close()
	other, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: strange.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	go func() {
		for {
			c, err := other.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); c.(*tls.Conn).Handshake() }()
		}
	}()
	cases := []struct {
		name   string
		status string // of the answer, with headers
		trunk  string // its fields when nobody answers
		state  string
		code   string // SipResponseCode
		says   []string
	}{
		{name: "a number that is not there", status: "404 Not Found\nReason: Q.850;cause=1;text=\"Unallocated number\"", state: "failed", code: "404",
			says: []string{"+141555501", "on trunk far", "is not known there (SIP 404 Not Found; Q.850 1: Unallocated number)"}},
		{name: "a warning", status: "488 Not Acceptable Here\nWarning: 305 biloxi.example \"only codec 18 is spoken here\"", state: "failed", code: "488",
			says: []string{"can do none of our codecs (SIP 488 Not Acceptable Here; 305 only codec 18 is spoken here)"}},
		{name: "a reason phrase", status: "403 Your balance is 0.00", state: "failed", code: "403", says: []string{"does not allow the call (SIP 403 Your balance is 0.00)"}},
		{name: "a cause behind another status", status: "500 Oops\nReason: Q.850;cause=34;text=\"No circuit\", SIP;cause=503", state: "failed", code: "500",
			says: []string{"failed (SIP 500 Oops; Q.850 34: No circuit)"}},
		{name: "busy", status: "486 Busy Here", state: "busy", code: "486", says: []string{"is busy (SIP 486 Busy Here)"}},
		{name: "declined", status: "603 Decline\nReason: SIP;cause=603;text=\"Not today\"", state: "busy", code: "603", says: []string{"declined the call (SIP 603 Decline; Not today)"}},
		{name: "unwanted", status: "607 Unwanted", state: "busy", code: "607", says: []string{"does not want calls of this caller"}},
		{name: "away", status: "480 Temporarily Unavailable\nReason: Q.850;cause=20", state: "no-answer", code: "480", says: []string{"is not available (SIP 480 Temporarily Unavailable; Q.850 20)"}},
		{name: "a wrong password", status: "407 Proxy Authentication Required\nProxy-Authenticate" + digest, state: "failed", code: "407",
			says: []string{"refused our user name or password (SIP 407 Proxy Authentication Required)"}},
		{name: "an unknown status", status: "499 Computer says no", state: "failed", code: "499", says: []string{"ended the attempt (SIP 499 Computer says no)"}},
		{name: "nobody there", trunk: "host: 127.0.0.1, transport: tcp, port: " + gonePort, state: "failed", code: "503", says: []string{"trunk far10 cannot be reached (127.0.0.1:" + gonePort + ": connection refused)"}},
		{name: "silence", trunk: "host: 127.0.0.1, port: " + portOf(silent), state: "no-answer", code: "408",
			says: []string{"cannot be reached (no answer from 127.0.0.1:" + portOf(silent)}},
		{name: "a certificate of somebody else", trunk: fmt.Sprintf("host: 127.0.0.1, transport: tls, port: %d", other.Addr().(*net.TCPAddr).Port), state: "failed", code: "503",
			says: []string{fmt.Sprintf("trunk far12 cannot be reached (the certificate of %s is not trusted: certificate signed by unknown authority)", other.Addr())}},
		{name: "a name that is not there", trunk: "host: nobody.invalid", state: "failed", code: "503", says: []string{"trunk far13 cannot be called: look nobody.invalid up: "}},
		{name: "a port without TLS", trunk: "host: 127.0.0.1, transport: tls, port: " + plainPort, state: "failed", code: "503",
			says: []string{"trunk far14 cannot be reached (127.0.0.1:" + plainPort + " does not speak TLS)"}},
	}
	g := startGateway(t, "")
	trunks, routes := "trunks:\n", "routes:\n"
	for i, tc := range cases {
		fields := tc.trunk
		if tc.status != "" {
			port := freePorts(t, 1)
			fields = fmt.Sprintf("host: 127.0.0.1, port: %d", port)
			status, headers, _ := strings.Cut(tc.status, "\n")
			scenario := recv("INVITE") + reply("100 Trying", "", "") + reply(status, headers, "") + ack
			if strings.Contains(headers, "Authenticate") { // and again: the same challenge means a wrong password
				fields += ", username: box, password: sesame-sesame"
				scenario += scenario
			}
			startSIPp(t, port, 1, scenario)
		}
		trunks += fmt.Sprintf("- {name: far%02d, %s}\n", i, fields)
		routes += fmt.Sprintf("- {name: r%02d, prefix: \"+141555501%02d\", lines: [far%02d]}\n", i, i, i)
	}
	g.configure(trunks + routes)
	for i, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			began := time.Now()
			sid := g.create(url.Values{"To": {fmt.Sprintf("+141555501%02d", i)}, "From": {"+14155550100"}, "Twiml": {"<Response/>"},
				"StatusCallback": {fmt.Sprintf("%s/%d", a.URL, i)}})
			g.until(sid, tc.state)
			t.Logf("%s after %s", tc.state, time.Since(began).Round(time.Millisecond))
			last := a.until(fmt.Sprintf("/%d", i), 1)
			if got := last.form.Get("CallStatus"); got != tc.state {
				t.Errorf("the callback says %s", got)
			}
			if got := last.form.Get("SipResponseCode"); got != tc.code {
				t.Errorf("SipResponseCode %q, want %q", got, tc.code)
			}
			ladder := strings.TrimRight(g.run("trace", sid), "\n")
			sentence := ladder[strings.LastIndexByte(ladder, '\n')+1:]
			t.Log(sentence)
			for _, want := range tc.says {
				if !strings.Contains(sentence, want) {
					t.Errorf("the trace does not end with %q:\n%s", want, ladder)
				}
			}
			if !strings.Contains(sentence, "*   "+tc.state+": ") {
				t.Errorf("the trace's last line does not say %s:\n%s", tc.state, ladder)
			}
			if status, _, _ := strings.Cut(tc.status, "\n"); !strings.Contains(ladder, status) {
				t.Errorf("the trace does not show %s:\n%s", status, ladder)
			}
			_, text, _ := strings.Cut(sentence, tc.state+": ")
			if list := g.run("calls"); !strings.Contains(list, text) {
				t.Errorf("the call list does not say %q:\n%s", text, list)
			}
			if strings.Contains(ladder, "sesame") {
				t.Error("the trace shows the password")
			}
		})
	}
}

func portOf(pc net.PacketConn) string {
	_, port, _ := net.SplitHostPort(pc.LocalAddr().String())
	return port
}
