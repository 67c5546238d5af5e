//go:build bench

package bench

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Lines of the report.
const (
	registrationsRate = "registrations per second"
	registrationP50   = "registration p50, ms"
	registrationP99   = "registration p99, ms"
	handshakesRate    = "TLS handshakes per second"
	handshakeP99      = "TLS handshake p99, ms"
	digestRate        = "calls set up and ended per second, with digest"
	digestP50         = "set-up with digest at 50/s p50, ms"
	digestP99         = "set-up with digest at 50/s p99, ms"
	digestLoadedP50   = "the same beside 30 bridged calls p50, ms"
	digestLoadedP99   = "the same beside 30 bridged calls p99, ms"
)

// Figures of the measurement of signalling.
const (
	registrars    = 16 // phones at a time, each with users of its own
	registrations = 2000
	members       = 200
	shakers       = 8
	handshakes    = 800
	digestCalls   = 800
	digestHost    = "127.0.0.4" // of the user who calls with digest
	phonesHost    = "127.0.0.5"
)

// memberOf is one of the users.
func memberOf(n int) member {
	return member{fmt.Sprintf("member%03d", n%members), fmt.Sprintf("secret-of-%03d", n%members)}
}

// signalling measures registrations, TLS handshakes, and calls of users.
func (l *lab) signalling(round int) error {
	ours, err := l.gateway()
	if err != nil {
		return err
	}
	defer l.end(ours)
	if err := l.addMembers(ours); err != nil {
		return err
	}
	peer, err := l.registrar()
	if err != nil {
		return err
	}
	defer l.end(peer)
	bare, err := l.uas()
	if err != nil {
		return err
	}
	defer l.end(bare)
	for _, s := range []*subject{peer, ours} {
		l.tell("registrations, round %d of %d: %s", round, *rounds, filepath.Base(s.cmd.Path))
		if _, _, err := register(s.sip, registrations/10); err != nil { // the first ones load code
			return s.failure(err.Error())
		}
		times, took, err := register(s.sip, registrations)
		if err != nil {
			return s.failure(err.Error())
		}
		l.report.add(s == ours, registrationsRate, registrations/took.Seconds())
		l.report.add(s == ours, registrationP50, milliseconds(percentile(times, 50)))
		l.report.add(s == ours, registrationP99, milliseconds(percentile(times, 99)))
	}
	for _, s := range []*subject{bare, ours} {
		l.tell("TLS handshakes, round %d of %d", round, *rounds)
		at := netip.AddrPortFrom(s.sip.Addr(), s.sip.Port()+1)
		if _, _, err := shake(at, handshakes/10); err != nil {
			return s.failure(err.Error())
		}
		times, took, err := shake(at, handshakes)
		if err != nil {
			return s.failure(err.Error())
		}
		l.report.add(s == ours, handshakesRate, handshakes/took.Seconds())
		l.report.add(s == ours, handshakeP99, milliseconds(percentile(times, 99)))
	}
	return l.proven(ours, round)
}

// proven measures calls of a user who is challenged each time.
func (l *lab) proven(ours *subject, round int) error {
	l.tell("calls with digest, round %d of %d", round, *rounds)
	user := memberOf(0)
	c, err := newCaller(digestHost, &user, int(l.ears[0].addr.Port()))
	if err != nil {
		return err
	}
	defer c.close()
	c.aim(ours.sip)
	if err := c.enrol(ours.sip); err != nil {
		return ours.failure(err.Error())
	}
	if _, _, err := c.place(batch{numberAnswer, 50, 5 * time.Millisecond, peakInFlight}); err != nil {
		return ours.failure(err.Error())
	}
	_, took, err := c.place(batch{numberAnswer, digestCalls, 0, peakInFlight})
	if err != nil {
		return ours.failure(err.Error())
	}
	l.report.add(true, digestRate, digestCalls/took.Seconds())
	steady := func(p50, p99 string) error {
		times, _, err := c.place(batch{numberAnswer, steadyCalls, steadyEvery, peakCalls})
		if err != nil {
			return ours.failure(err.Error())
		}
		l.report.add(true, p50, milliseconds(percentile(times, 50)))
		l.report.add(true, p99, milliseconds(percentile(times, 99)))
		return nil
	}
	if err := steady(digestP50, digestP99); err != nil {
		return err
	}
	legs, up, err := l.connect(ours, numberBridge, 0, loadedCalls)
	if err != nil {
		return err
	}
	t := newTalk(l.ears, legs)
	wait(500 * time.Millisecond)
	err = steady(digestLoadedP50, digestLoadedP99)
	if err = errors.Join(err, t.end()); err != nil {
		return err
	}
	if c.repeats > 0 {
		l.report.note("callbox: %d requests with digest had to be repeated in round %d", c.repeats, round)
	}
	return l.caller.hangup(up)
}

// addMembers configures the users, the first of whom may call the application
// that answers.
func (l *lab) addMembers(s *subject) error {
	data := filepath.Join(filepath.Dir(s.log), "data")
	old, err := command(l.binary, data, "config", "export", "--secrets")
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(strings.Replace(old, "numbers:\n", fmt.Sprintf("numbers:\n- number: %q\n  line: %s\n  application: AP%031d1\n", numberAnswer, memberOf(0).name, 0), 1))
	b.WriteString("\nusers:\n")
	for n := range members {
		fmt.Fprintf(&b, "- {name: %s, password: %s}\n", memberOf(n).name, memberOf(n).password)
	}
	file := filepath.Join(filepath.Dir(s.log), "members.yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		return err
	}
	_, err = command(l.binary, data, "config", "import", file)
	return err
}

// registrarScript challenges with a nonce of its own each time and keeps what is
// registered in memory, as callbox does.
const registrarScript = `#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=2
auto_aliases=no
dns=no
listen=udp:%[1]s
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("auth", "qop", "auth")
modparam("auth", "nonce_count", 1)
modparam("registrar", "max_contacts", 10)
request_route {
	if ($rm != "REGISTER") exit;
	$var(password) = "secret-of-" + $(fU{s.substr,6,3});
	if (!pv_www_authenticate("bench.example", "$var(password)", "0") || $au != $fU) {
		www_challenge("bench.example", "1");
		exit;
	}
	save("location");
}
`

// registrar starts Kamailio.
func (l *lab) registrar() (*subject, error) {
	dir, err := l.folder()
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(file, fmt.Appendf(nil, registrarScript, loopback(port)), 0o600); err != nil {
		return nil, err
	}
	program, err := exec.LookPath("kamailio")
	if err != nil {
		program = "/usr/sbin/kamailio" // where only root looks by itself
	}
	p, err := startProcess(dir, program, "-f", file, "-DD", "-E", "-m", "64", "-M", "8", "-w", dir, "-Y", dir)
	if err != nil {
		return nil, err
	}
	s := &subject{process: p, sip: loopback(port)}
	if err := until(10*time.Second, "kamailio registers a phone", func() bool { _, _, err := register(s.sip, 1); return err == nil }); err != nil {
		p.stop()
		return nil, p.failure(err.Error())
	}
	return s, nil
}

// register registers n times and gives how long each took, and all.
func register(box netip.AddrPort, n int) (times []time.Duration, took time.Duration, err error) {
	var mu sync.Mutex
	var next atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for range min(registrars, n) {
		all.Go(func() {
			c, derr := net.DialUDP("udp4", &net.UDPAddr{IP: net.ParseIP(phonesHost)}, net.UDPAddrFromAddrPort(box))
			if derr != nil {
				mu.Lock()
				err = derr
				mu.Unlock()
				return
			}
			defer c.Close()
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				start := time.Now()
				rerr := registerOnce(c, memberOf(int(i)), fmt.Sprintf("%d-%d", start.UnixNano(), i))
				mu.Lock()
				times = append(times, time.Since(start))
				err = errors.Join(err, rerr)
				mu.Unlock()
				if rerr != nil {
					return
				}
			}
		})
	}
	all.Wait()
	return times, time.Since(began), err
}

// registerOnce is one registration: it is challenged, and proves itself.
func registerOnce(c *net.UDPConn, u member, id string) error {
	uri, proof := "sip:"+c.RemoteAddr().String(), ""
	for seq, want := range []int{401, 200} {
		text := string(registration(uri, u, c.LocalAddr().(*net.UDPAddr).AddrPort(), phonesHost+":5060", id, seq+1, proof))
		m, err := ask(c, text, id)
		switch {
		case err != nil:
			return err
		case m.status != want:
			return fmt.Errorf("REGISTER of %s got %d, want %d", u.name, m.status, want)
		}
		proof = u.proof(m, "REGISTER", uri) + "\r\n"
	}
	return nil
}

// registration is a REGISTER of a phone that is known to take MD5 alone.
func registration(uri string, u member, from netip.AddrPort, contact, id string, seq int, proof string) []byte {
	domain := strings.TrimPrefix(uri, "sip:")
	return fmt.Appendf(nil, "REGISTER %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s-%d;rport\r\nMax-Forwards: 70\r\nFrom: <sip:%s@%s>;tag=%[3]s\r\nTo: <sip:%[5]s@%[6]s>\r\n"+
		"Call-ID: %[3]s\r\nCSeq: %[4]d REGISTER\r\nContact: <sip:%[5]s@%[7]s>\r\nUser-Agent: baresip v1.0.0 (bench)\r\nExpires: 120\r\n%[8]sContent-Length: 0\r\n\r\n",
		uri, from, id, seq, u.name, domain, contact, proof)
}

// ask sends a request, again after a while, until its response comes.
func ask(c *net.UDPConn, text, id string) (message, error) {
	buf := make([]byte, 65536)
	for range maxRepeats {
		if _, err := c.Write([]byte(text)); err != nil {
			return message{}, err
		}
		_ = c.SetReadDeadline(time.Now().Add(repeatAfter))
		for {
			n, err := c.Read(buf)
			if err != nil {
				break
			}
			m, ok := parse(string(buf[:n]))
			if ok && m.header("Call-ID") == id && strings.Fields(m.header("CSeq"))[0] == strings.Fields(text[strings.Index(text, "CSeq:")+5:])[0] {
				return m, nil
			}
		}
	}
	return message{}, errors.New("no answer to REGISTER")
}

// shake connects n times and gives how long each handshake took, and all.
func shake(at netip.AddrPort, n int) (times []time.Duration, took time.Duration, err error) {
	var mu sync.Mutex
	var next atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for range shakers {
		all.Go(func() {
			for next.Add(1) <= int64(n) {
				start := time.Now()
				c, derr := tls.Dial("tcp4", at.String(), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it is ours
				mu.Lock()
				times = append(times, time.Since(start))
				err = errors.Join(err, derr)
				mu.Unlock()
				if derr != nil {
					return
				}
				_ = c.Close()
			}
		})
	}
	all.Wait()
	return times, time.Since(began), err
}

// ownCertificate is one as the gateway's: ECDSA on P-256.
func ownCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "uas"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
