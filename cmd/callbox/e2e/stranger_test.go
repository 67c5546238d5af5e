//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// goodPhone is a phone of a bare socket that registers as it should.
type goodPhone struct {
	t              *testing.T
	g              *gateway
	c              net.Conn
	user, password string
}

func newGoodPhone(t *testing.T, g *gateway, user, password string) *goodPhone {
	t.Helper()
	c, err := net.Dial("udp", g.sip)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &goodPhone{t, g, c, user, password}
}

// ask sends a REGISTER with further headers, again when the busy machine loses
// it, and gives the answer.
func (p *goodPhone) ask(headers string) string {
	p.t.Helper()
	m := register(p.user, p.c.LocalAddr().String()+";rport")
	m = strings.Replace(m, "Max-Forwards", headers+"Contact: <sip:"+p.user+"@"+p.c.LocalAddr().String()+">\r\nMax-Forwards", 1)
	buf := make([]byte, 65536)
	for range 20 {
		if _, err := p.c.Write([]byte(m)); err != nil {
			p.t.Fatal(err)
		}
		p.c.SetReadDeadline(time.Now().Add(2 * time.Second))
		if n, err := p.c.Read(buf); err == nil {
			return string(buf[:n])
		}
	}
	p.t.Fatalf("phone %s gets no answer", p.user)
	return ""
}

func (p *goodPhone) register() {
	p.t.Helper()
	_, nonce, _ := challenges(p.t, p.ask(""))
	res := p.ask(proof{user: p.user, password: p.password, nonce: nonce, algorithm: "SHA-256", count: 1, uri: "sip:box.example"}.String())
	if !strings.HasPrefix(res, "SIP/2.0 200 ") {
		p.t.Fatalf("phone %s:\n%s", p.user, res)
	}
}

// TestSIPVicious runs the scanners that every box in the Internet meets, from
// the address that a hundred good phones are at. They learn nothing, what guesses
// is banned, and no phone notices.
func TestSIPVicious(t *testing.T) {
	var users strings.Builder
	users.WriteString("users:\n")
	for i := range 101 {
		fmt.Fprintf(&users, "- name: \"%d\"\n  password: good-%d-phone\n", 200+i, i)
	}
	g := startGateway(t, users.String())
	var phones []*goodPhone
	for i := range 100 {
		p := newGoodPhone(t, g, fmt.Sprint(200+i), fmt.Sprintf("good-%d-phone", i))
		p.register()
		phones = append(phones, p)
	}
	host, port, err := net.SplitHostPort(g.sip)
	if err != nil {
		t.Fatal(err)
	}
	scan := func(tool string, args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		c := exec.CommandContext(ctx, tool, append(args, "-p", port, host)...)
		c.Dir = t.TempDir()
		out, _ := c.CombinedOutput() // scanners that find nothing fail
		return string(out)
	}
	for _, m := range []string{"OPTIONS", "INVITE"} {
		if out := scan("svmap", "-m", m); !strings.Contains(out, "found nothing") {
			t.Errorf("svmap with %s:\n%s", m, out)
		}
	}
	for _, m := range []string{"REGISTER", "INVITE", "OPTIONS"} {
		for _, force := range []string{"--quiet", "--force"} {
			if out := scan("svwar", "-m", m, force, "-e", "190-320", "--maximumtime=3"); !strings.Contains(out, "found nothing") && strings.TrimSpace(out) != "" {
				t.Errorf("svwar with %s %s:\n%s", m, force, out)
			}
		}
	}
	for range 6 { // it gives up on the first challenges, which are not for MD5 alone
		if out := scan("svcrack", "-u", "300", "-r", "1000-1300", "--maximumtime=3"); strings.Contains(out, "Password") {
			t.Errorf("svcrack:\n%s", out)
		}
		if g.metrics()["callbox_sip_bans"] > 0 {
			break
		}
	}
	bans := g.run("bans")
	if m := g.metrics(); m["callbox_sip_bans"] != 1 || m["callbox_sip_bans_total"] != 1 || m["callbox_sip_auth_failures_total"] < 10 || !strings.Contains(bans, `127.0.0.1  "300"`) {
		t.Errorf("bans:\n%s\n%v wrong answers", bans, m["callbox_sip_auth_failures_total"])
	}
	if !strings.Contains(g.log.String(), "banned from SIP") {
		t.Error("the log says nothing of the ban")
	}
	if out := scan("svcrack", "-u", "300", "-r", "1000-1300", "--maximumtime=3"); strings.Contains(out, "Password") {
		t.Errorf("svcrack once more:\n%s", out)
	}
	for _, p := range phones {
		p.register()
	}
	if out := g.run("bans", "--lift", "127.0.0.1"); out != "1 lifted\n" {
		t.Errorf("lifting: %s", out)
	}
	newGoodPhone(t, g, "300", "good-100-phone").register()
	if out, err := g.tryRun("bans", "--lift", "nobody"); err == nil || !strings.Contains(out, "not an IP address") {
		t.Errorf("lifting nobody: %s", out)
	}
}
