//go:build e2e

package e2e

import (
	"fmt"
	"net"
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
	return place{}.newGoodPhone(t, g, g.sip, user, password)
}

// newGoodPhone is one at another place, from where the box is at addr.
func (p place) newGoodPhone(t *testing.T, g *gateway, addr, user, password string) *goodPhone {
	t.Helper()
	c, err := p.dial("udp", addr)
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

// manyUsers are the users 200 to 300.
func manyUsers() string {
	var users strings.Builder
	users.WriteString("users:\n")
	for i := range 101 {
		fmt.Fprintf(&users, "- name: \"%d\"\n  password: good-%d-phone\n", 200+i, i)
	}
	return users.String()
}

// scan runs one of SIPVicious's tools and gives what it says.
func (p place) scan(t *testing.T, tool string, args ...string) string {
	t.Helper()
	c := p.command(tool, args...)
	c.Dir = t.TempDir()
	stop := time.AfterFunc(patience, func() { c.Process.Kill() })
	defer stop.Stop()
	out, _ := c.CombinedOutput() // scanners that find nothing fail
	return string(out)
}

// TestSIPViciousElsewhere has a hundred good phones behind one address and the
// scanners at another: those lose their address, the phones notice nothing.
func TestSIPViciousElsewhere(t *testing.T) {
	t.Parallel()
	if !ownNetwork(t) {
		return
	}
	const box = "203.0.113.1"
	office, scanner := place{"office", "203.0.113.10"}, place{"scanner", "203.0.113.66"}
	newNetwork(t, "street", []string{box + "/24"}, office, scanner)
	g := &gateway{t: t, dir: t.TempDir(), listen: "0.0.0.0:5060"}
	g.start()
	g.configure(manyUsers())
	var phones []*goodPhone
	for i := range 100 {
		p := office.newGoodPhone(t, g, box+":5060", fmt.Sprint(200+i), fmt.Sprintf("good-%d-phone", i))
		p.register()
		phones = append(phones, p)
	}
	if out := scanner.scan(t, "svmap", box); !strings.Contains(out, "found nothing") {
		t.Errorf("svmap:\n%s", out)
	}
	if out := scanner.scan(t, "svwar", "-m", "REGISTER", "--force", "-e", "190-320", "--maximumtime=3", box); !strings.Contains(out, "found nothing") && strings.TrimSpace(out) != "" {
		t.Errorf("svwar:\n%s", out)
	}
	gone := func() bool { return strings.Contains(g.run("bans"), scanner.addr+`  "(all but proven)"`) }
	for user := 296; user < 310 && !gone(); user++ { // there are no more than 300
		banned := func() bool {
			return strings.Contains(g.run("bans"), fmt.Sprintf("%s  %q", scanner.addr, fmt.Sprint(user))) || gone()
		}
		for try := 0; try < 6 && !banned(); try++ { // it gives up on challenges that are not for MD5 alone
			if out := scanner.scan(t, "svcrack", "-u", fmt.Sprint(user), "-r", "1000-1300", "--maximumtime=3", box); strings.Contains(out, "Password") {
				t.Errorf("svcrack:\n%s", out)
			}
		}
	}
	bans := g.run("bans")
	t.Logf("bans:\n%s", bans)
	if !gone() || strings.Contains(bans, office.addr) {
		t.Error("not the scanner's address alone is banned")
	}
	for _, p := range phones {
		p.register()
	}
	if out := scanner.scan(t, "svcrack", "-u", "300", "-r", "1000-1300", "--maximumtime=3", box); !strings.Contains(out, "no server response") {
		t.Errorf("svcrack at the end:\n%s", out)
	}
}

// TestSIPVicious runs the scanners that every box in the Internet meets, from
// the address that a hundred good phones are at. They learn nothing, what guesses
// is banned, and no phone notices.
func TestSIPVicious(t *testing.T) {
	g := startGateway(t, manyUsers())
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
		return place{}.scan(t, tool, append(args, "-p", port, host)...)
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
