//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// baresip is a real SIP phone as a child process, steered over its ctrl_tcp
// module. What it hears is in a WAV file of its sndfile module.
type baresip struct {
	t         *testing.T
	name      string
	dir       string
	transport string
	addr      string // host:port of its SIP over UDP and TCP
	cmd       *exec.Cmd
	log       *lockedBuffer
	conn      net.Conn

	mu     sync.Mutex
	events []phoneEvent
	all    []phoneEvent // since its start
	more   chan struct{}
}

// phoneEvent is what ctrl_tcp tells.
type phoneEvent struct {
	Event    bool   `json:"event"`
	Response bool   `json:"response"`
	Type     string `json:"type"`
	Class    string `json:"class"`
	Param    string `json:"param"`
	OK       bool   `json:"ok"`
	Data     string `json:"data"`
}

// phone describes a baresip.
type phone struct {
	name, password string
	registrar      string // host:port of the gateway; empty: it does not register
	transport      string // udp, tcp, tls
	ca             string // file of the CA by which a server's certificate is checked
	says           []int16
	answer         string // auto or manual
	codecs         string // "PCMU,PCMA"
	modules        string // further ones: "mwi"
	expires        int    // of its registration in seconds; 0: 120
	protection     string // of the sound: srtp (offered beside the clear), srtp-mand; empty: none
	trace          bool   // every SIP message is in its log
	place
}

// The ports of this suite lie below those that the kernel gives out by itself, so
// that nobody takes one between its choice and its use. SIPp's sound has ports
// 20,000 above.
const (
	firstPort = 5200
	lastPort  = 9900
	portStep  = 4
)

// nextPort counts the ports given out; processes begin at different places.
var nextPort atomic.Int64

// freePorts gives n (at most 4) UDP and TCP ports in a row that nobody uses on
// 127.0.0.1.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	for range (lastPort - firstPort) / portStep {
		p := firstPort + int(int64(os.Getpid())*127+nextPort.Add(1))%((lastPort-firstPort)/portStep)*portStep
		if free(p, n) {
			return p
		}
	}
	t.Fatal("no free ports")
	return 0
}

func free(p, n int) bool {
	for i := range n {
		a := net.JoinHostPort("127.0.0.1", strconv.Itoa(p+i))
		l, err := net.Listen("tcp", a)
		if err != nil {
			return false
		}
		l.Close()
		u, err := net.ListenPacket("udp", a)
		if err != nil {
			return false
		}
		u.Close()
	}
	return true
}

// startBaresip starts a phone and waits until it has registered.
func startBaresip(t *testing.T, p phone) *baresip {
	t.Helper()
	b := runBaresip(t, p)
	// The first registration is faster than the control connection: the log has it.
	poll(t, "baresip "+p.name+" registers", func() bool { return strings.Contains(b.log.String(), "200 OK () [") })
	return b
}

// runBaresip starts a phone.
func runBaresip(t *testing.T, p phone) *baresip {
	t.Helper()
	dir := t.TempDir()
	// People breathe before they speak: what is said while the answer is still on
	// its way is lost. The last minutes are silence: at the end of its file baresip
	// hangs up.
	says := append(append(make([]int16, 3*rate/10), p.says...), make([]int16, 300*rate)...)
	writeWAV(t, filepath.Join(dir, "says.wav"), says)
	port := freePorts(t, 3) // SIP, SIP over TLS, control
	host, regint := p.host(), cmp.Or(p.expires, 120)
	if p.registrar == "" {
		p.registrar, regint, p.password = net.JoinHostPort(host, strconv.Itoa(port)), 0, "nobody asks"
	}
	if p.codecs == "" {
		p.codecs = "PCMU,PCMA"
	}
	if p.transport == "" {
		p.transport = "udp"
	}
	trust := ""
	if p.ca != "" {
		trust = "sip_cafile " + p.ca + "\n"
	}
	protection := ""
	if p.protection != "" {
		protection = ";mediaenc=" + p.protection
	}
	more := ""
	for _, m := range strings.Fields(p.modules) {
		more += "module_app " + m + ".so\n"
	}
	files := map[string]string{
		"config": trust + more + fmt.Sprintf(`poll_method epoll
sip_listen %s
net_interface %s
audio_source aufile,%s/says.wav
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
module_path /usr/lib/baresip/modules
module g711.so
module g722.so
module opus.so
module aufile.so
module sndfile.so
module srtp.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen %s
snd_path %s
`, net.JoinHostPort(host, strconv.Itoa(port)), host, dir, net.JoinHostPort(host, strconv.Itoa(port+2)), dir),
		"accounts": fmt.Sprintf("<sip:%s@%s;transport=%s>;auth_user=%s;auth_pass=%s;regint=%d;answermode=%s;audio_codecs=%s;dtmfmode=rtpevent%s\n",
			p.name, p.registrar, p.transport, p.name, p.password, regint, p.answer, p.codecs, protection),
		"contacts": "",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := &baresip{t: t, name: p.name, transport: p.transport, dir: dir, addr: net.JoinHostPort(host, strconv.Itoa(port)), log: &lockedBuffer{}, more: make(chan struct{}, 1)}
	args := []string{"-f", dir}
	if p.trace {
		args = append(args, "-s")
	}
	b.cmd = p.command("baresip", args...)
	b.cmd.Stdout, b.cmd.Stderr = b.log, b.log
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.stop)
	b.connect(p.place, net.JoinHostPort(host, strconv.Itoa(port+2)))
	return b
}

func (b *baresip) connect(at place, addr string) {
	b.t.Helper()
	poll(b.t, "baresip's control port", func() bool {
		c, err := at.dial("tcp", addr)
		b.conn = c
		return err == nil
	})
	go b.read()
}

// read takes netstrings: "12:{...}," until the connection ends.
func (b *baresip) read() {
	r := bufio.NewReader(b.conn)
	for {
		n, err := r.ReadString(':')
		if err != nil {
			return
		}
		size, err := strconv.Atoi(strings.TrimSuffix(n, ":"))
		if err != nil {
			return
		}
		body := make([]byte, size+1)
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		var ev phoneEvent
		if json.Unmarshal(body[:size], &ev) == nil {
			b.mu.Lock()
			b.events, b.all = append(b.events, ev), append(b.all, ev)
			b.mu.Unlock()
			select {
			case b.more <- struct{}{}:
			default:
			}
		}
	}
}

// do gives baresip a command ("dial", "hangup", "accept", "sndcode").
func (b *baresip) do(command, params string) {
	b.t.Helper()
	body, err := json.Marshal(map[string]string{"command": command, "params": params})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(b.conn, "%d:%s,", len(body), body); err != nil {
		b.t.Fatalf("baresip %s: %v", b.name, err)
	}
}

// press sends digits, one each 200 ms.
func (b *baresip) press(digits string) {
	b.t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for _, d := range digits {
		b.do("sndcode", string(d))
		<-tick.C
	}
}

// wait waits for an event of this type and forgets everything before it.
func (b *baresip) wait(typ string) phoneEvent {
	b.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		b.mu.Lock()
		for i, ev := range b.events {
			if ev.Type == typ {
				b.events = b.events[i+1:]
				b.mu.Unlock()
				return ev
			}
		}
		b.mu.Unlock()
		select {
		case <-b.more:
		case <-deadline.C:
			b.t.Fatalf("baresip %s did not tell %s within %s; its log:\n%s", b.name, typ, patience, b.log.String())
		}
	}
}

// heard is what the phone received in its last call, which has ended or is about
// to: the file is whole once the phone has closed it.
func (b *baresip) heard() []int16 {
	b.t.Helper()
	var s []int16
	var name string
	poll(b.t, "baresip "+b.name+" closes its recording", func() bool {
		names, err := filepath.Glob(filepath.Join(b.dir, "dump-*-dec.wav"))
		if err != nil || len(names) == 0 {
			b.t.Fatalf("baresip %s recorded nothing; its log:\n%s", b.name, b.log.String())
		}
		name = names[len(names)-1]
		s, _ = readWAV(b.t, name)
		return len(s) > 0 // its header says nothing of the length before
	})
	if format(b.t, name) != [2]uint32{1, rate} {
		narrow := filepath.Join(b.t.TempDir(), "narrow.wav")
		command(b.t, "sox", name, "-r", strconv.Itoa(rate), "-c", "1", narrow)
		s, _ = readWAV(b.t, narrow)
	}
	return s
}

// format gives the channels and the sample rate of a file of baresip's, whose header
// is the plain 44 bytes.
func format(t *testing.T, path string) [2]uint32 {
	t.Helper()
	head, err := os.ReadFile(path)
	if err != nil || len(head) < 44 {
		t.Fatalf("%s: %d bytes, %v", path, len(head), err)
	}
	return [2]uint32{uint32(binary.LittleEndian.Uint16(head[22:])), binary.LittleEndian.Uint32(head[24:])}
}

func (b *baresip) stop() {
	if b.conn != nil {
		b.conn.Close()
	}
	b.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() { b.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		b.cmd.Process.Kill()
		<-done
	}
	if b.t.Failed() {
		b.t.Logf("baresip %s:\n%s", b.name, b.log.String())
	}
}

// lockedBuffer keeps the last output of a child process, at most 64 KiB.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.b.Len() > 64<<10 {
		l.b.Next(32 << 10)
	}
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// patience is how long a test waits for what must come: long enough for a machine
// that has other things to do. What must come soon is compared with something else
// of the same run, never with the clock.
const patience = 2 * time.Minute

// poll asks f every 20 ms until it is true.
func poll(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}
