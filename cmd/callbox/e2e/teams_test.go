//go:build e2e

package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
)

// TestTeams: a call to a Teams user goes over the tenant's trunk: by TLS, under the
// box's own name there, with protected sound. Without a tenant it is refused, and so
// is one of another tenant.
func TestTeams(t *testing.T) {
	t.Parallel()
	cert, _ := certificateFile(t)
	pair, err := tls.LoadX509KeyPair(cert, cert)
	if err != nil {
		t.Fatal(err)
	}
	far, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	invites := make(chan string, 10)
	go func() {
		for {
			c, err := far.Accept()
			if err != nil {
				return
			}
			go answerTeams(c, invites)
		}
	}()
	a := newRestApp(t)
	a.verbs("/status", "")
	g := &gateway{t: t, dir: t.TempDir(), env: []string{"SSL_CERT_FILE=" + cert}}
	g.start()
	const body = `{"from":"+14155550122","to":{"type":"teams","number":"+14155550100"%s},"call_hook":%q,"call_status_hook":%q}`
	g.callJSON(http.StatusBadRequest, body, "", a.URL+"/voice", a.URL+"/status")
	g.setUp("/MicrosoftTeamsTenants", fmt.Sprintf(`{"tenant_fqdn":"office.biloxi.example","host":"127.0.0.1","port":%d}`, far.Addr().(*net.TCPAddr).Port))
	for _, more := range []string{"", `,"tenant":"office.biloxi.example","vmail":true`, `,"tenant":"office.biloxi.example","voicemail":true`} {
		sid := g.callJSON(http.StatusCreated, body, more, a.URL+"/voice", a.URL+"/status")["sid"].(string)
		g.untilJSON(sid, "busy")
		invite := <-invites
		for _, part := range []string{"INVITE sip:+14155550100@127.0.0.1", "Via: SIP/2.0/TLS ", "\r\nContact: <sip:", "@office.biloxi.example", "RTP/SAVP ", "\r\na=crypto:"} {
			if !strings.Contains(invite, part) {
				t.Errorf("the INVITE (%s) has no %q:\n%s", more, part, invite)
			}
		}
		if voicemail := strings.Contains(invite, "opaque=app:voicemail"); voicemail != (more != "") {
			t.Errorf("the INVITE (%s) is for the voicemail: %t\n%s", more, voicemail, invite)
		}
	}
	g.callJSON(http.StatusBadRequest, body, `,"tenant":"other.biloxi.example"`, a.URL+"/voice", a.URL+"/status")
}

// answerTeams tells of INVITEs, which are answered busy.
func answerTeams(c net.Conn, invites chan<- string) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		first, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if strings.TrimSpace(first) == "" { // a sign of life
			continue
		}
		head, err := textproto.NewReader(r).ReadMIMEHeader()
		if err != nil {
			return
		}
		n, _ := strconv.Atoi(head.Get("Content-Length"))
		content := make([]byte, n)
		if _, err := io.ReadFull(r, content); err != nil {
			return
		}
		method, _, _ := strings.Cut(first, " ")
		status := map[string]string{"INVITE": "486 Busy Here", "OPTIONS": "200 OK"}[method]
		if status == "" {
			continue
		}
		text := first
		res := "SIP/2.0 " + status + "\r\n"
		for _, name := range []string{"Via", "From", "To", "Call-Id", "Cseq", "Contact"} {
			for _, v := range head[name] {
				text += name + ": " + v + "\r\n"
				if name == "To" {
					v += ";tag=teams"
				}
				if name != "Contact" {
					res += name + ": " + v + "\r\n"
				}
			}
		}
		if method == "INVITE" {
			invites <- text + "\r\n" + string(content)
		}
		_, _ = io.WriteString(c, res+"Content-Length: 0\r\n\r\n")
	}
}
