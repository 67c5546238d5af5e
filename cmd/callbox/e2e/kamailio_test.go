//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// kamailio is a real SIP server as a child process: a provider's registrar and
// proxy, on UDP and TCP of 127.0.0.1.
type kamailio struct {
	log  *lockedBuffer
	port int
	stop func() // ends it before the test does
}

// providerScript challenges the user box with SHA-256 (RFC 8760), and so proves
// nothing to those who answer with MD5. What is not from the phone behind it is
// sent there, and what is goes to the box, where it has registered. It writes
// down with what each request was proved.
const providerScript = `#!KAMAILIO
debug=1
log_stderror=yes
fork=yes
children=2
tcp_children=2
auto_aliases=no
dns=no
listen=udp:127.0.0.1:%[1]d
listen=tcp:127.0.0.1:%[1]d
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "auth.so"
loadmodule "xlog.so"
modparam("auth", "algorithm", "SHA-256")
modparam("auth", "qop", "auth")
modparam("auth", "nonce_count", 1)
request_route {
	if (is_method("CANCEL")) {
		if (t_check_trans()) t_relay();
		exit;
	}
	if (has_totag()) {
		if (loose_route() || (is_method("ACK") && t_check_trans())) t_relay();
		exit;
	}
	if (is_method("REGISTER")) {
		if (!pv_www_authenticate("provider.example", "s3cret9", "0") || $au != "box") {
			www_challenge("provider.example", "1");
			exit;
		}
		xlog("L_ERR", "proved $rm with $aa\n");
		save("location");
		exit;
	}
	record_route();
	if ($sp == %[2]d) {
		if (!lookup("location")) {
			sl_send_reply("404", "Not Found");
			exit;
		}
		t_relay();
		exit;
	}
	if (!pv_proxy_authenticate("provider.example", "s3cret9", "0") || $au != "box") {
		proxy_challenge("provider.example", "1");
		exit;
	}
	xlog("L_ERR", "proved $rm with $aa\n");
	consume_credentials();
	$du = "sip:127.0.0.1:%[2]d";
	t_relay();
}
`

// startKamailio starts the provider of the phone at a port of 127.0.0.1.
func startKamailio(t *testing.T, phonePort int) *kamailio {
	t.Helper()
	return startKamailioAt(t, freePorts(t, 1), phonePort)
}

func startKamailioAt(t *testing.T, port, phonePort int) *kamailio {
	t.Helper()
	return runKamailio(t, place{}, port, fmt.Sprintf(providerScript, port, phonePort))
}

// runKamailio starts one somewhere with a script of its own.
func runKamailio(t *testing.T, at place, port int, script string) *kamailio {
	t.Helper()
	k := &kamailio{log: &lockedBuffer{}, port: port}
	dir := t.TempDir()
	file := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("kamailio")
	if err != nil {
		program = "/usr/sbin/kamailio" // where only root looks by itself
	}
	cmd := at.command(program, "-f", file, "-DD", "-E", "-m", "16", "-M", "4", "-w", dir, "-Y", dir)
	cmd.Stdout, cmd.Stderr = k.log, k.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }()
	k.stop = func() {
		cmd.Process.Signal(syscall.SIGTERM) // it ends its own children
		<-done
	}
	t.Cleanup(func() {
		k.stop()
		if t.Failed() {
			t.Logf("kamailio:\n%s", k.log.String())
		}
	})
	at.listens(t, k.port)
	return k
}

// TestSHA256Provider registers the box at a provider that takes nothing but
// SHA-256, and lets calls go through it both ways, over UDP and TCP.
func TestSHA256Provider(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			fromAlice := speak(t, "This is Alice. The library closes early before the holiday.")
			fromFar := speak(t, "A call from far away about the harvest and the weather.", "-v", "en-us")
			far := runBaresip(t, phone{name: "+14155550123", answer: "auto", says: fromFar})
			_, phonePort, _ := net.SplitHostPort(far.addr)
			port, _ := strconv.Atoi(phonePort)
			k := startKamailio(t, port)
			g := startGateway(t, fmt.Sprintf(`
users:
- {name: alice, password: a1l2i3c4e5, number: "201"}
trunks:
- {name: provider, host: 127.0.0.1, port: %d, transport: %s, username: box, password: s3cret9, register: true, expires: 1m}
routes:
- {name: all, prefix: "+", lines: [provider]}
numbers:
- {number: "*", line: provider, target: alice}
`, k.port, transport))
			poll(t, "the box registers", func() bool { ready, _ := g.status("provider"); return ready })
			alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto", says: fromAlice})
			talk(t, alice, far, "sip:+14155550123@"+g.sip, fromAlice, fromFar)
			talk(t, far, alice, fmt.Sprintf("sip:box@127.0.0.1:%d", k.port), fromFar, fromAlice)
			log := k.log.String()
			for line, least := range map[string]int{"proved REGISTER with SHA-256": 1, "proved INVITE with SHA-256": 1} {
				if n := strings.Count(log, line); n < least {
					t.Errorf("%q %d times, want at least %d", line, n, least)
				}
			}
			if n := strings.Count(log, "with SHA-256"); n != strings.Count(log, "proved ") {
				t.Error("something was proved with another algorithm")
			}
		})
	}
}

// TestProviderFailsOver has a provider with two servers (RFC 3263). When the first
// falls silent, calls go through the second within 4 s, the registration follows,
// and both come back to the first when it does.
func TestProviderFailsOver(t *testing.T) {
	t.Parallel()
	if !ownNetwork(t) {
		return
	}
	resolvConf(t)
	nameServer(t, "_sip._udp.provider.example. SRV 10 0 5071 one.provider.example.", "_sip._udp.provider.example. SRV 20 0 5072 two.provider.example.",
		"one.provider.example. A 127.0.0.1", "two.provider.example. A 127.0.0.1")
	fromAlice := speak(t, "This is Alice. The library closes early before the holiday.")
	fromFar := speak(t, "A call from far away about the harvest and the weather.", "-v", "en-us")
	far := runBaresip(t, phone{name: "+14155550123", answer: "auto", says: fromFar})
	_, phonePort, _ := net.SplitHostPort(far.addr)
	port, _ := strconv.Atoi(phonePort)
	first := startKamailioAt(t, 5071, port)
	startKamailioAt(t, 5072, port)
	g := &gateway{t: t, dir: t.TempDir(), listen: "127.0.0.1:5060"}
	g.start()
	g.configure(`
users:
- {name: alice, password: a1l2i3c4e5, number: "201"}
trunks:
- {name: provider, host: provider.example, username: box, password: s3cret9, register: true, expires: 1m}
routes:
- {name: all, prefix: "+", lines: [provider]}
numbers:
- {number: "*", line: provider, target: alice}
`)
	at := func(addr string) {
		t.Helper()
		poll(t, "the box is registered at "+addr, func() bool {
			ready, text := g.status("provider")
			return ready && strings.Contains(text, addr)
		})
	}
	at("127.0.0.1:5071")
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto", says: fromAlice})
	talk(t, alice, far, "sip:+14155550123@"+g.sip, fromAlice, fromFar)
	first.stop()
	alice.do("dial", "sip:+14155550123@"+g.sip)
	far.wait("CALL_ESTABLISHED")
	alice.wait("CALL_ESTABLISHED")
	asked := g.asked(fmt.Sprint(g.calls()[0]["sid"]))
	// A registration that is renewed in this moment finds out before the call does.
	one, two := asked["127.0.0.1:5071"], asked["127.0.0.1:5072"]
	if took := two.Sub(one); two.IsZero() || !one.IsZero() && took > failedOver {
		t.Errorf("the second server was asked %v after the first: %v", took, asked)
	}
	alice.do("hangup", "")
	far.wait("CALL_CLOSED")
	alice.wait("CALL_CLOSED")
	talk(t, alice, far, "sip:+14155550123@"+g.sip, fromAlice, fromFar)
	at("127.0.0.1:5072")
	talk(t, far, alice, "sip:box@127.0.0.1:5072", fromFar, fromAlice)
	startKamailioAt(t, 5071, port)
	at("127.0.0.1:5071")
	talk(t, alice, far, "sip:+14155550123@"+g.sip, fromAlice, fromFar)
	talk(t, far, alice, "sip:box@127.0.0.1:5071", fromFar, fromAlice)
}
