//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// registrarScript is a provider that takes whoever registers, writes down where
// they are now, and sends calls there.
const registrarScript = `#!KAMAILIO
debug=1
log_stderror=yes
fork=yes
children=2
tcp_children=2
auto_aliases=no
dns=no
listen=udp:%[1]s:%[2]d
listen=tcp:%[1]s:%[2]d
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "xlog.so"
request_route {
	if (has_totag()) {
		if (loose_route() || (is_method("ACK") && t_check_trans())) t_relay();
		exit;
	}
	if (is_method("REGISTER")) {
		save("location");
		reg_fetch_contacts("location", "$tu", "caller");
		xlog("L_ERR", "bound $(ulc(caller=>count)): $(ulc(caller=>addr)[0])\n");
		exit;
	}
	record_route();
	if (!lookup("location")) {
		sl_send_reply("404", "Not Found");
		exit;
	}
	t_relay();
}
`

// startSTUN starts a real STUN server and gives its address.
func startSTUN(t *testing.T, at place) string {
	t.Helper()
	if _, err := exec.LookPath("turnserver"); err != nil {
		t.Fatalf("%v: install the Debian package coturn", err)
	}
	log := &lockedBuffer{}
	dir := t.TempDir()
	cmd := at.command("turnserver", "-n", "--stun-only", "--listening-ip", at.host(), "--listening-port", "3478", "--no-tls", "--no-dtls", "--no-cli",
		"--no-auth", "--log-file", "stdout", "--pidfile", dir+"/pid", "--userdb", dir+"/db")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("turnserver:\n%s", log.String())
		}
	})
	at.listens(t, 3478)
	return net.JoinHostPort(at.host(), "3478")
}

// TestAddressOutsideChanges puts the box behind a NAT whose address nobody has
// configured: a STUN server tells it. It registers with that address, and when the
// NAT gets another one it registers again, takes the old contact away, and is called
// there, with sound both ways; its own phone goes on seeing its own address.
func TestAddressOutsideChanges(t *testing.T) {
	t.Parallel()
	if !ownNetwork(t) {
		return
	}
	const before, after = "198.51.100.1", "198.51.100.2"
	router, near, outside := place{"router", "192.168.1.1"}, place{"alice", "192.168.1.10"}, place{"carrier", "198.51.100.20"}
	newNetwork(t, "home", []string{"192.168.1.2/24"}, router, near)
	newRouter(t, router, outside)
	command(t, "ip", "route", "add", "default", "via", router.addr)
	command(t, "ip", "netns", "exec", router.netns, "iptables", "-t", "nat", "-F")
	command(t, "ip", "netns", "exec", outside.netns, "ip", "route", "del", "default")
	nat := func(args ...string) {
		t.Helper()
		command(t, "ip", append([]string{"netns", "exec", router.netns, "iptables", "-t", "nat", "-A"}, args...)...)
	}
	nat("POSTROUTING", "-o", outside.netns, "-j", "MASQUERADE")
	for _, public := range []string{before, after} {
		for _, ports := range []string{"5060", "16384:17383"} {
			nat("PREROUTING", "-i", outside.netns, "-p", "udp", "-d", public, "--dport", ports, "-j", "DNAT", "--to-destination", "192.168.1.2")
		}
	}
	stun := startSTUN(t, outside)
	port := freePorts(t, 1)
	k := runKamailio(t, outside, port, fmt.Sprintf(registrarScript, outside.addr, port))
	wire := newTap(t)
	g := &gateway{t: t, dir: t.TempDir(), listen: "0.0.0.0:5060"}
	g.start()
	g.configure(fmt.Sprintf(`
users:
- {name: alice, password: a1l2i3c4e5, number: "201"}
trunks:
- {name: provider, host: %s, port: %d, transport: udp, username: box, password: nobody-asks, register: true}
numbers:
- {number: "*", line: provider, target: alice}
`, outside.addr, port))
	bound := func(public string) func() bool {
		return func() bool {
			_, last, _ := cutLast(k.log.String(), "bound ")
			return strings.HasPrefix(last, "1: sip:box@"+public+":5060")
		}
	}
	poll(t, "the box registers with its own address", bound("192.168.1.2"))
	g.change("media:\n", "media:\n  stun: "+stun+"\n")
	poll(t, "the box registers with its address outside", bound(before))

	fromAlice := speak(t, "This is Alice at home, wherever that may be today.")
	fromFar := speak(t, "A call from far away about the harvest and the weather.", "-v", "en-us")
	far := runBaresip(t, phone{name: "+14155550123", answer: "auto", says: fromFar, place: outside})
	a := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: "192.168.1.2:5060", answer: "auto", says: fromAlice, place: near})
	to := fmt.Sprintf("sip:box@%s:%d", outside.addr, port)
	talk(t, far, a, to, fromFar, fromAlice)

	command(t, "ip", "-n", router.netns, "addr", "del", before+"/24", "dev", outside.netns)
	command(t, "ip", "-n", router.netns, "addr", "add", after+"/24", "dev", outside.netns)
	poll(t, "the box registers with its new address, and that one only", bound(after))
	wire.settle()
	seen := len(wire.messages())
	talk(t, far, a, to, fromFar, fromAlice)
	wire.settle()
	shown := map[string]int{}
	for _, m := range wire.messages()[seen:] {
		if !strings.Contains(m.text, "m=audio") {
			continue
		}
		for _, want := range map[string]string{outside.addr: after, near.addr: "192.168.1.2"} {
			if strings.Contains(m.text, "c=IN IP4 "+want) && strings.Contains(m.text, "@"+want+":5060") {
				shown[m.to.Addr().String()+" "+want]++
			}
		}
		if strings.Contains(m.text, before) {
			t.Errorf("the old address is shown:\n%s", m.text)
		}
	}
	if shown[outside.addr+" "+after] == 0 || shown[near.addr+" 192.168.1.2"] == 0 || len(shown) != 2 {
		t.Errorf("addresses shown: %v", shown)
	}
}

// cutLast is strings.Cut at the last place.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
