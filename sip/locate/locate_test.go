package locate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// zone is a name server on loopback.
type zone struct {
	addr netip.AddrPort

	mu      sync.Mutex // guards the rest
	records []dns.RR
	asked   map[string]int
	silent  bool
	cut     bool // over UDP
}

func newZone(t testing.TB, records ...string) *zone {
	t.Helper()
	z := &zone{asked: map[string]int{}}
	z.set(t, records...)
	var pc net.PacketConn
	var ln net.Listener
	for range 20 { // until a port is free for both
		var err error
		if pc, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if ln, err = net.Listen("tcp", pc.LocalAddr().String()); err == nil {
			break
		}
		_ = pc.Close()
	}
	if ln == nil {
		t.Fatal("no port is free for UDP and TCP")
	}
	z.addr = pc.LocalAddr().(*net.UDPAddr).AddrPort()
	for _, s := range []*dns.Server{{PacketConn: pc, Handler: z}, {Listener: ln, Handler: z}} {
		started, ended := make(chan struct{}), make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { defer close(ended); _ = s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = s.Shutdown(); <-ended })
	}
	return z
}

func (z *zone) set(t testing.TB, records ...string) {
	t.Helper()
	z.mu.Lock()
	defer z.mu.Unlock()
	z.records = nil
	for _, r := range records {
		rr, err := dns.NewRR(r)
		if err != nil {
			t.Fatalf("%s: %v", r, err)
		}
		z.records = append(z.records, rr)
	}
}

func (z *zone) behave(silent, cut bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.silent, z.cut = silent, cut
}

func (z *zone) count(question string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked[question]
}

func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	name, kind := strings.ToLower(q.Question[0].Name), q.Question[0].Qtype
	_, tcp := w.LocalAddr().(*net.TCPAddr)
	z.asked[dns.TypeToString[kind]+" "+name]++
	if z.silent {
		return
	}
	m := new(dns.Msg)
	m.SetReply(q)
	known := false
	for range 4 { // CNAMEs lead on
		var alias string
		for _, rr := range z.records {
			if !strings.EqualFold(rr.Header().Name, name) {
				continue
			}
			known = true
			if c, ok := rr.(*dns.CNAME); ok {
				m.Answer, alias = append(m.Answer, rr), strings.ToLower(c.Target)
			} else if rr.Header().Rrtype == kind {
				m.Answer = append(m.Answer, rr)
			}
		}
		if alias == "" {
			break
		}
		name = alias
	}
	if !known {
		m.Rcode = dns.RcodeNameError
	}
	if z.cut && !tcp {
		m.Answer, m.Truncated = nil, true
	}
	_ = w.WriteMsg(m)
}

func (z *zone) resolver(t testing.TB, extra ...netip.AddrPort) *Resolver {
	none := filepath.Join(t.TempDir(), "none")
	return New(Config{Servers: append(extra, z.addr), ResolvConf: none, Hosts: none})
}

func texts(hops []Hop) string {
	var out []string
	for _, h := range hops {
		out = append(out, h.Transport+" "+h.Addr.String())
	}
	return strings.Join(out, ", ")
}

// TestHops walks the ways of RFC 3263 §4.
func TestHops(t *testing.T) {
	t.Parallel()
	z := newZone(t,
		`biloxi.example. 60 NAPTR 50 50 "s" "SIPS+D2T" "" _sips._tcp.biloxi.example.`,
		`biloxi.example. 60 NAPTR 90 50 "s" "SIP+D2T" "" _sip._tcp.biloxi.example.`,
		`biloxi.example. 60 NAPTR 10 50 "s" "H323+D2T" "" _h323._tcp.biloxi.example.`,
		`biloxi.example. 60 NAPTR 10 50 "u" "SIP+D2U" "!.*!sip:x@y!" .`,
		`_sips._tcp.biloxi.example. 60 SRV 10 0 5061 one.biloxi.example.`,
		`_sip._tcp.biloxi.example. 60 SRV 20 0 5070 two.biloxi.example.`,
		`_sip._tcp.biloxi.example. 60 SRV 10 0 5080 one.biloxi.example.`,
		`_sip._tcp.biloxi.example. 60 SRV 5 0 5080 gone.biloxi.example.`,
		`_sip._udp.biloxi.example. 60 SRV 10 0 5090 one.biloxi.example.`,
		`one.biloxi.example. 60 AAAA 2001:db8::1`,
		`one.biloxi.example. 60 A 192.0.2.1`,
		`two.biloxi.example. 60 CNAME twin.biloxi.example.`,
		`twin.biloxi.example. 60 A 192.0.2.2`,
		`_sip._udp.atlanta.example. 60 SRV 10 0 5062 atlanta.example.`,
		`_sip._tcp.atlanta.example. 60 SRV 10 0 5063 atlanta.example.`,
		`atlanta.example. 60 A 192.0.2.3`,
		`plain.example. 60 A 192.0.2.4`,
		`six.example. 60 AAAA 2001:db8::6`,
		`_sip._udp.no.example. 60 SRV 0 0 0 .`,
	)
	r := z.resolver(t)
	for _, tc := range []struct {
		q    Query
		want string
	}{
		{Query{Host: "biloxi.example"}, "tls 192.0.2.1:5061, tls [2001:db8::1]:5061, tcp 192.0.2.1:5080, tcp [2001:db8::1]:5080, tcp 192.0.2.2:5070"},
		{Query{Host: "Biloxi.Example.", Transport: UDP}, "udp 192.0.2.1:5090, udp [2001:db8::1]:5090"},
		{Query{Host: "biloxi.example", Transport: TLS}, "tls 192.0.2.1:5061, tls [2001:db8::1]:5061"},
		{Query{Host: "one.biloxi.example", Port: 5099, Transport: TCP}, "tcp 192.0.2.1:5099, tcp [2001:db8::1]:5099"},
		{Query{Host: "one.biloxi.example", Port: 5099}, "udp 192.0.2.1:5099, udp [2001:db8::1]:5099"},
		{Query{Host: "atlanta.example"}, "udp 192.0.2.3:5062, tcp 192.0.2.3:5063"},
		{Query{Host: "plain.example"}, "udp 192.0.2.4:5060"},
		{Query{Host: "plain.example", Transport: TLS}, "tls 192.0.2.4:5061"},
		{Query{Host: "six.example"}, "udp [2001:db8::6]:5060"},
		{Query{Host: "[2001:db8::9]", Transport: TCP}, "tcp [2001:db8::9]:5060"},
		{Query{Host: "192.0.2.9", Port: 5071}, "udp 192.0.2.9:5071"},
		{Query{Host: "192.0.2.9", Transport: TLS}, "tls 192.0.2.9:5061"},
	} {
		hops, err := r.Hops(t.Context(), tc.q)
		if got := texts(hops); err != nil || got != tc.want {
			t.Errorf("%+v: %s (%v), want %s", tc.q, got, err, tc.want)
		}
	}
	for _, host := range []string{"no.example", "none.example", "", "a..b", strings.Repeat("a", 300)} {
		if hops, err := r.Hops(t.Context(), Query{Host: host}); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v, %v", host, hops, err)
		}
	}
}

// TestWeights draws among servers of one priority as often as their weights say.
func TestWeights(t *testing.T) {
	t.Parallel()
	z := newZone(t,
		`_sip._udp.biloxi.example. 60 SRV 10 75 5060 a.biloxi.example.`, `_sip._udp.biloxi.example. 60 SRV 10 25 5060 b.biloxi.example.`,
		`_sip._udp.biloxi.example. 60 SRV 10 0 5060 c.biloxi.example.`, `_sip._udp.biloxi.example. 60 SRV 20 99 5060 d.biloxi.example.`,
		`a.biloxi.example. 60 A 192.0.2.1`, `b.biloxi.example. 60 A 192.0.2.2`, `c.biloxi.example. 60 A 192.0.2.3`, `d.biloxi.example. 60 A 192.0.2.4`)
	r := z.resolver(t)
	first := map[string]int{}
	const rounds = 2000
	for range rounds {
		hops, err := r.Hops(t.Context(), Query{Host: "biloxi.example", Transport: UDP})
		if err != nil || len(hops) != 4 || hops[3].Addr.Addr().String() != "192.0.2.4" {
			t.Fatalf("%s, %v", texts(hops), err)
		}
		first[hops[0].Addr.Addr().String()]++
	}
	if a := first["192.0.2.1"]; a < rounds*65/100 || a > rounds*85/100 || first["192.0.2.3"] > rounds/50 {
		t.Errorf("first were %v of %d", first, rounds)
	}
	if n := z.count("SRV _sip._udp.biloxi.example."); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// TestMemory keeps answers for their time, within bounds, and uses old ones while
// nobody answers.
func TestMemory(t *testing.T) {
	t.Parallel()
	z := newZone(t, `a.example. 0 A 192.0.2.1`, `b.example. 900000 A 192.0.2.2`, `c.example. 300 A 192.0.2.3`)
	r := z.resolver(t)
	age := func(by time.Duration) { // makes what is known older
		r.mu.Lock()
		defer r.mu.Unlock()
		for k, a := range maps.Clone(r.known) {
			a.until, a.stale = a.until.Add(-by), a.stale.Add(-by)
			r.known[k] = a
		}
	}
	ask := func(host string, want string) {
		t.Helper()
		addrs, err := r.Addrs(t.Context(), host)
		if got := fmt.Sprint(addrs); got != "["+want+"]" && (want != "" || !errors.Is(err, ErrNotFound)) {
			t.Errorf("%s: %s, %v, want %s", host, got, err, want)
		}
	}
	asked := func(host string, want int) {
		t.Helper()
		if n := z.count("A " + host + "."); n != want {
			t.Errorf("%s was asked for %d times, want %d", host, n, want)
		}
	}
	for range 3 {
		ask("a.example", "192.0.2.1")
		ask("b.example", "192.0.2.2")
		ask("c.example", "192.0.2.3")
		ask("missing.example", "")
	}
	for _, host := range []string{"a.example", "b.example", "c.example", "missing.example"} {
		asked(host, 1)
	}
	age(minLife + time.Second)
	ask("a.example", "192.0.2.1")
	ask("c.example", "192.0.2.3")
	asked("a.example", 2)
	asked("c.example", 1)
	age(maxLife)
	z.set(t, `c.example. 300 A 192.0.2.33`, `missing.example. 300 A 192.0.2.44`)
	ask("b.example", "")
	ask("c.example", "192.0.2.33")
	ask("missing.example", "192.0.2.44")

	z.behave(true, false)
	age(maxLife)
	began := time.Now()
	ask("c.example", "192.0.2.33")
	ask("c.example", "192.0.2.33") // the server is not asked again at once
	if took := time.Since(began); took > 20*renewTime {
		t.Errorf("an old answer took %v", took)
	}
	asked("c.example", 3)
	age(stale)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if addrs, err := r.Addrs(ctx, "c.example"); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("%v, %v", addrs, err)
	}
	for i := range 2 * maxNames {
		r.remember(key{fmt.Sprint(i), dns.TypeA}, answer{until: time.Now().Add(time.Duration(i) * time.Second)})
	}
	if n := len(r.known); n != maxNames {
		t.Errorf("%d names are remembered", n)
	}
	if _, ok := r.known[key{fmt.Sprint(2*maxNames - 1), dns.TypeA}]; !ok {
		t.Error("the newest was forgotten")
	}
}

// TestServers asks the next name server when one does not answer, and again over
// TCP when an answer was cut.
func TestServers(t *testing.T) {
	t.Parallel()
	z := newZone(t, `a.example. 60 A 192.0.2.1`)
	z.behave(false, true)
	pc, err := net.ListenPacket("udp", "127.0.0.1:0") // refuses: closed at once
	if err != nil {
		t.Fatal(err)
	}
	refusing := pc.LocalAddr().(*net.UDPAddr).AddrPort()
	_ = pc.Close()
	r := z.resolver(t, refusing)
	if addrs, err := r.Addrs(t.Context(), "a.example"); err != nil || fmt.Sprint(addrs) != "[192.0.2.1]" {
		t.Errorf("%v, %v", addrs, err)
	}
	if _, err := New(Config{ResolvConf: "/nowhere", Hosts: "/nowhere"}).Addrs(t.Context(), "a.example"); !errors.Is(err, ErrNoAnswer) {
		t.Error(err)
	}
}

// TestFiles follows the system's files, also when they change.
func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conf, hosts := filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "hosts")
	write := func(file, text string, age time.Duration) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	write(conf, "nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch office.example\n", time.Hour)
	write(hosts, "# ours\n2001:db8::7 pbx PBX.example # both\n192.0.2.7 pbx\nnonsense x\n192.0.2.8\n", time.Hour)
	r := New(Config{ResolvConf: conf, Hosts: hosts})
	if addrs, err := r.Addrs(t.Context(), "PBX."); err != nil || fmt.Sprint(addrs) != "[192.0.2.7 2001:db8::7]" {
		t.Errorf("%v, %v", addrs, err)
	}
	servers, names := r.setup("pbx.")
	if fmt.Sprint(servers) != "[192.0.2.53:53 [2001:db8::53]:53]" || !slices.Contains(names, "pbx.office.example.") {
		t.Errorf("%v, %v", servers, names)
	}
	if _, names = r.setup("a.example."); len(names) != 1 {
		t.Error(names)
	}
	write(conf, "nameserver 192.0.2.54\n", 0)
	if servers, _ = r.setup("a.example."); fmt.Sprint(servers) != "[192.0.2.54:53]" {
		t.Error(servers)
	}
	if err := os.Remove(conf); err != nil {
		t.Fatal(err)
	}
	if servers, _ = r.setup("a.example."); fmt.Sprint(servers) != "[192.0.2.54:53]" {
		t.Error("the name server was forgotten with the file")
	}
}

// FuzzRead takes whatever a name server may say.
func FuzzRead(f *testing.F) {
	for _, s := range []string{`a. 60 A 192.0.2.1`, `a. 60 AAAA 2001:db8::1`, `a. 60 SRV 1 2 3 b.`, `a. 60 NAPTR 1 2 "s" "SIP+D2U" "" b.`} {
		rr, err := dns.NewRR(s)
		if err != nil {
			f.Fatal(err)
		}
		m := new(dns.Msg)
		m.SetQuestion("a.", rr.Header().Rrtype)
		m.Answer = []dns.RR{rr, rr}
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, rr.Header().Rrtype)
	}
	now := time.Now()
	f.Fuzz(func(t *testing.T, b []byte, kind uint16) {
		m := new(dns.Msg)
		if m.Unpack(b) != nil {
			return
		}
		a := read(m, kind, now)
		if a.until.Before(now.Add(minLife)) || a.until.After(now.Add(maxLife)) || a.missing != (len(a.addrs)+len(a.servers)+len(a.pointers) == 0) {
			t.Errorf("%+v", a)
		}
		if got := drawn(a.servers); len(got) != len(a.servers) || !slices.IsSortedFunc(got, func(x, y server) int { return int(x.priority) - int(y.priority) }) {
			t.Errorf("%v drawn from %v", got, a.servers)
		}
	})
}
