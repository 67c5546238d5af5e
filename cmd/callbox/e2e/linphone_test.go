//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// linphone is Linphone's console program as a child process, steered by the
// commands that a person would type. It listens on every address of its place at
// port 5060, so the place must have a network namespace of its own, and a route
// to anywhere: without one it thinks itself offline.
type linphone struct {
	t     *testing.T
	name  string
	dir   string
	cmd   *exec.Cmd
	out   *lockedBuffer
	stdin io.WriteCloser
	done  chan struct{}
}

// startLinphone starts a phone, which answers by itself when p.answer is auto,
// and waits until it has registered.
func startLinphone(t *testing.T, p phone) *linphone {
	t.Helper()
	l := &linphone{t: t, name: p.name, dir: t.TempDir(), out: &lockedBuffer{}, done: make(chan struct{})}
	if p.transport == "" {
		p.transport = "udp"
	}
	host, _, _ := strings.Cut(p.registrar, ":")
	if err := os.MkdirAll(filepath.Join(l.dir, ".local", "share", "linphone"), 0o700); err != nil {
		t.Fatal(err)
	}
	// As baresip's: a breath first, and silence to the end.
	writeWAV(t, filepath.Join(l.dir, "says.wav"), append(append(make([]int16, 3*rate/10), p.says...), make([]int16, 300*rate)...))
	config := fmt.Sprintf(`[sip]
sip_port=5060
sip_tcp_port=5060
use_ipv6=0
[proxy_0]
reg_proxy=<sip:%s;transport=%s>
reg_identity=sip:%s@%s
reg_expires=600
reg_sendregister=1
[auth_info_0]
username=%s
passwd=%s
realm=callbox
domain=%s
`, p.registrar, p.transport, p.name, host, p.name, p.password, host)
	if err := os.WriteFile(filepath.Join(l.dir, "rc"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-c", filepath.Join(l.dir, "rc"), "-d", "6", "-l", filepath.Join(l.dir, "log")}
	if p.answer == "auto" {
		args = append(args, "-a")
	}
	l.cmd = p.command("linphonec", args...)
	l.cmd.Env = append(os.Environ(), "HOME="+l.dir)
	l.cmd.Stdout, l.cmd.Stderr = l.out, l.out
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var err error
	if l.stdin, err = l.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { l.cmd.Wait(); close(l.done) }()
	t.Cleanup(l.stop)
	poll(t, "linphone "+p.name+" registers", func() bool { return strings.Contains(l.log(), "to [LinphoneRegistrationOk]") })
	l.do("soundcard use files")
	l.wait("Using wav files")
	l.do("play " + filepath.Join(l.dir, "says.wav"))
	l.do("record " + filepath.Join(l.dir, "heard.wav"))
	return l
}

// do types a command.
func (l *linphone) do(command string) {
	l.t.Helper()
	if _, err := io.WriteString(l.stdin, command+"\n"); err != nil {
		l.t.Fatalf("linphone %s: %v", l.name, err)
	}
}

// wait waits until linphone has said this.
func (l *linphone) wait(text string) {
	l.t.Helper()
	poll(l.t, "linphone "+l.name+" says "+text, func() bool { return strings.Contains(l.out.String(), text) })
}

// log is what linphone wrote about itself, with every SIP message.
func (l *linphone) log() string {
	b, err := os.ReadFile(filepath.Join(l.dir, "log"))
	if err != nil && !os.IsNotExist(err) {
		l.t.Fatal(err)
	}
	return string(b)
}

// credentials gives the Authorization header of every request of a method.
func (l *linphone) credentials(method string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`(?m)^`+method+` sip:[^\n]*\n(?:[^\n]+\n)*`).FindAllString(l.log(), -1) {
		if a := regexp.MustCompile(`(?m)^(?:Proxy-)?Authorization: *(.*)$`).FindStringSubmatch(m); a != nil {
			out = append(out, a[1])
		}
	}
	return out
}

// heard is what the phone received in its call, which has ended.
func (l *linphone) heard() []int16 {
	l.t.Helper()
	s, _ := readWAV(l.t, filepath.Join(l.dir, "heard.wav"))
	return s
}

func (l *linphone) stop() {
	io.WriteString(l.stdin, "quit\n")
	select {
	case <-l.done:
	case <-time.After(patience):
		l.cmd.Process.Kill()
		<-l.done
	}
	if l.t.Failed() {
		text := l.log()
		l.t.Logf("linphone %s:\n%s\n%s", l.name, l.out.String(), text[max(0, len(text)-20000):])
	}
}

// TestLinphone registers a phone that prefers SHA-256 (RFC 8760), lets it call and
// be called, and checks the sound both ways and with what it proved itself.
func TestLinphone(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			if ownNetwork(t) {
				linphoneCalls(t, transport)
			}
		})
	}
}

func linphoneCalls(t *testing.T, transport string) {
	t.Helper()
	atAlice, atBob := place{"alice", "10.71.1.10"}, place{"bob", "10.71.1.11"}
	newNetwork(t, "office", []string{"10.71.1.1/24"}, atAlice, atBob)
	command(t, "ip", "-n", atAlice.netns, "route", "add", "default", "via", "10.71.1.1")
	g := &gateway{t: t, dir: t.TempDir(), listen: "0.0.0.0:5060"}
	g.start()
	g.configure(twoUsers)
	fromAlice := speak(t, "This is Alice. The piano was tuned on Thursday afternoon.")
	fromBob := speak(t, "Bob speaking. We need eleven chairs and a longer table.", "-v", "en-us")
	length := time.Duration(max(len(fromAlice), len(fromBob)))*time.Second/rate + 2*time.Second
	alice := startLinphone(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: "10.71.1.1:5060", transport: transport, answer: "auto", says: fromAlice, place: atAlice})
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: "10.71.1.1:5060", answer: "auto", says: fromBob, place: atBob})
	if ready, text := g.status("alice"); !ready || !strings.Contains(text, "over "+transport) {
		t.Errorf("alice: %v %s", ready, text)
	}
	alice.do("call sip:bob@10.71.1.1")
	bob.wait("CALL_ESTABLISHED")
	pauseFor(length)
	alice.do("terminate")
	bob.wait("CALL_CLOSED")
	alice.wait("ended (No error)")
	hears(t, "bob", bob.heard(), fromAlice)
	hears(t, "alice", alice.heard(), fromBob)

	alice.do("play " + filepath.Join(alice.dir, "says.wav"))
	alice.do("record " + filepath.Join(alice.dir, "heard.wav"))
	bob.do("dial", "sip:alice@10.71.1.1")
	bob.wait("CALL_ESTABLISHED")
	pauseFor(length)
	bob.do("hangup", "")
	bob.wait("CALL_CLOSED")
	poll(t, "alice hears of the end", func() bool { return strings.Count(alice.out.String(), " ended (") == 2 })
	hears(t, "bob", bob.heard(), fromAlice)
	hears(t, "alice", alice.heard(), fromBob)
	for _, method := range []string{"REGISTER", "INVITE"} {
		proofs := alice.credentials(method)
		for _, p := range proofs {
			if !strings.Contains(p, "algorithm=SHA-256") || !strings.Contains(p, "qop=auth") {
				t.Errorf("%s with %s", method, p)
			}
		}
		if len(proofs) == 0 {
			t.Errorf("no %s with credentials", method)
		}
	}
}
