package locate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Sentinels that callers branch on.
var (
	// ErrNotFound is returned for a name that does not exist or has no address.
	ErrNotFound = errors.New("there is no such host")
	// ErrNoAnswer is returned when no name server gave a usable answer.
	ErrNoAnswer = errors.New("no name server answers")
)

// Bounds of what is remembered. A TTL below minLife would let each call wait for
// a look-up, one above maxLife would keep a provider's move from us.
const (
	minLife  = 5 * time.Second
	maxLife  = time.Hour
	notFound = 30 * time.Second // for a name without records, at most
	// stale is how much longer an answer is used while no name server answers, and
	// staleFor how long before the next try.
	stale    = 24 * time.Hour
	staleFor = 15 * time.Second
	// maxNames bounds the answers that are remembered.
	maxNames = 512
)

const (
	tries     = 2               // rounds over the name servers
	patience  = 2 * time.Second // for one answer
	renewTime = time.Second     // for an answer that an old one can stand in for
)

// Config says where names are looked up. The zero value is the system's way.
type Config struct {
	// Servers are the name servers; empty: those of ResolvConf.
	Servers []netip.AddrPort
	// ResolvConf and Hosts are files in the format of resolv.conf(5) and hosts(5),
	// read again whenever they change; empty: those of /etc.
	ResolvConf, Hosts string
}

// Resolver looks names up. Its methods may be called concurrently.
type Resolver struct {
	servers []netip.AddrPort
	conf    *watched[*dns.ClientConfig]
	hosts   *watched[map[string][]netip.Addr]

	mu    sync.Mutex // guards known and quiet
	known map[key]answer
	quiet time.Time // no name server answered lately: old answers do until then
}

type key struct {
	name string // small letters, with a dot at its end
	kind uint16
}

// answer is what a name server said, or that there is no such name.
type answer struct {
	record
	missing bool
	until   time.Time // look again after
	stale   time.Time // of no use at all after
}

// record is the records of one name and kind.
type record struct {
	addrs    []netip.Addr
	servers  []server  // in the order of the answer
	pointers []pointer // NAPTR, the best first
}

type server struct {
	host             string
	port             uint16
	priority, weight uint16
}

type pointer struct{ service, name string }

// New makes a resolver. It starts nothing.
func New(cfg Config) *Resolver {
	return &Resolver{
		servers: cfg.Servers, known: map[key]answer{},
		conf:  &watched[*dns.ClientConfig]{file: or(cfg.ResolvConf, "/etc/resolv.conf"), parse: parseConf},
		hosts: &watched[map[string][]netip.Addr]{file: or(cfg.Hosts, "/etc/hosts"), parse: parseHosts},
	}
}

// Addrs gives the addresses of a host, IPv4 first.
func (r *Resolver) Addrs(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, ok := Address(host); ok {
		return []netip.Addr{a}, nil
	}
	if addrs := r.hosts.get()[strings.ToLower(strings.TrimSuffix(host, "."))]; len(addrs) > 0 {
		return addrs, nil
	}
	kinds := [...]uint16{dns.TypeA, dns.TypeAAAA}
	var recs [len(kinds)]record
	var errs [len(kinds)]error
	var wg sync.WaitGroup
	for i, kind := range kinds {
		wg.Go(func() { recs[i], errs[i] = r.look(ctx, host, kind) })
	}
	wg.Wait()
	addrs := slices.Concat(recs[0].addrs, recs[1].addrs)
	switch {
	case len(addrs) > 0:
		return addrs, nil
	case errors.Is(errs[1], ErrNoAnswer) && errs[0] != nil && !errors.Is(errs[0], ErrNoAnswer):
		return nil, errs[1] // it may have the other kind of address
	}
	return nil, errs[0]
}

// look gives the records of a name: remembered ones, or what a name server says.
func (r *Resolver) look(ctx context.Context, host string, kind uint16) (record, error) {
	if _, ok := dns.IsDomainName(host); !ok || host == "" {
		return record{}, fmt.Errorf("look %q up: %w", host, ErrNotFound)
	}
	if strings.HasSuffix(strings.ToLower("."+strings.TrimSuffix(host, ".")), ".invalid") { // no name server needs to say so (RFC 6761 §6.4)
		return record{}, fmt.Errorf("look %s up: %w", host, ErrNotFound)
	}
	k := key{strings.ToLower(dns.Fqdn(host)), kind}
	now := time.Now()
	r.mu.Lock()
	old, have := r.known[k]
	quiet := r.quiet
	r.mu.Unlock()
	have = have && now.Before(old.stale)
	if !have || !now.Before(old.until) {
		if have && now.Before(quiet) {
			return old.found(host)
		}
		got, err := r.ask(ctx, k, have)
		switch {
		case err == nil:
			old = got
		case !have:
			return record{}, fmt.Errorf("look %s up: %w", host, err)
		default: // better an old answer than none
			old.until = now.Add(staleFor)
		}
		r.silent(have && err != nil, old.until)
		r.remember(k, old)
	}
	return old.found(host)
}

// found is what an answer says of a host.
func (a answer) found(host string) (record, error) {
	if a.missing {
		return record{}, fmt.Errorf("look %s up: %w", host, ErrNotFound)
	}
	return a.record, nil
}

// silent notes whether the name servers are, so that a call that looks several
// names up waits for them once.
func (r *Resolver) silent(are bool, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.quiet = until; !are {
		r.quiet = time.Time{}
	}
}

// remember keeps an answer; the one that is worth the least makes room for it.
func (r *Resolver) remember(k key, a answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.known[k]; !known && len(r.known) >= maxNames {
		var first key
		var at time.Time
		for o, b := range r.known {
			if at.IsZero() || b.until.Before(at) {
				first, at = o, b.until
			}
		}
		delete(r.known, first)
	}
	r.known[k] = a
}

// ask asks the name servers, one after the other. renew says that an old answer
// is there, so that nobody waits for long.
func (r *Resolver) ask(ctx context.Context, k key, renew bool) (answer, error) {
	servers, names := r.setup(k.name)
	rounds, limit := tries, patience
	if renew {
		rounds, limit = 1, renewTime
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, renewTime)
		defer cancel()
	}
	why := errors.New("none is set up")
	for range rounds {
		for _, s := range servers {
			a, err := askServer(ctx, s, names, k.kind, limit)
			if err == nil {
				return a, nil
			}
			why = err
			if ctx.Err() != nil {
				return answer{}, fmt.Errorf("%w: %w", ErrNoAnswer, ctx.Err())
			}
		}
	}
	return answer{}, fmt.Errorf("%w: %w", ErrNoAnswer, why)
}

// setup gives the name servers and the names to try for one: a name without a
// dot gets the domains that resolv.conf says to search.
func (r *Resolver) setup(name string) (servers []netip.AddrPort, names []string) {
	conf := r.conf.get()
	servers, names = r.servers, []string{name}
	if conf == nil {
		return servers, names
	}
	if strings.Count(name, ".") == 1 {
		names = conf.NameList(strings.TrimSuffix(name, "."))
	}
	if len(servers) == 0 {
		for _, s := range conf.Servers {
			if a, err := netip.ParseAddr(s); err == nil {
				servers = append(servers, netip.AddrPortFrom(a, 53))
			}
		}
	}
	return servers, names
}

// askServer asks one name server for each of the names until one exists.
func askServer(ctx context.Context, s netip.AddrPort, names []string, kind uint16, limit time.Duration) (answer, error) {
	var a answer
	for _, name := range names {
		m := new(dns.Msg)
		m.SetQuestion(name, kind)
		m.SetEdns0(1232, false) // what passes everywhere in one datagram
		res, err := exchange(ctx, m, s, limit)
		if err != nil {
			return answer{}, err
		}
		if a = read(res, kind, time.Now()); !a.missing {
			return a, nil
		}
	}
	return a, nil
}

// exchange sends one query, again over TCP when the answer was cut (RFC 7766 §5).
func exchange(ctx context.Context, m *dns.Msg, s netip.AddrPort, limit time.Duration) (*dns.Msg, error) {
	for _, network := range [...]string{"udp", "tcp"} {
		c := dns.Client{Net: network, Timeout: limit, UDPSize: 1232}
		res, _, err := c.ExchangeContext(ctx, m, s.String())
		var broken *net.OpError
		switch {
		case errors.As(err, &broken):
			return nil, fmt.Errorf("%s: %w", s, broken.Err)
		case err != nil:
			return nil, fmt.Errorf("%s: %w", s, err)
		case !slices.Equal(res.Question, m.Question) && !answers(res, m):
			return nil, fmt.Errorf("%s answered another question", s)
		case res.Truncated && network == "udp":
			continue
		case res.Rcode != dns.RcodeSuccess && res.Rcode != dns.RcodeNameError:
			return nil, fmt.Errorf("%s: %s", s, dns.RcodeToString[res.Rcode])
		}
		return res, nil
	}
	return nil, fmt.Errorf("%s cut its answer", s)
}

// answers compares questions as names are compared: without regard to case.
func answers(res, m *dns.Msg) bool {
	return len(res.Question) == 1 && strings.EqualFold(res.Question[0].Name, m.Question[0].Name) && res.Question[0].Qtype == m.Question[0].Qtype
}

// read takes what we asked for out of a response.
func read(res *dns.Msg, kind uint16, now time.Time) answer {
	var a answer
	life := maxLife
	var naptr []*dns.NAPTR
	for _, rr := range res.Answer {
		life = min(life, time.Duration(rr.Header().Ttl)*time.Second)
		if rr.Header().Rrtype != kind {
			continue // the CNAME before it
		}
		switch v := rr.(type) {
		case *dns.A:
			a.addrs = appendAddr(a.addrs, v.A)
		case *dns.AAAA:
			a.addrs = appendAddr(a.addrs, v.AAAA)
		case *dns.SRV:
			if v.Target != "." { // the service is decidedly not there (RFC 2782)
				a.servers = append(a.servers, server{v.Target, v.Port, v.Priority, v.Weight})
			}
		case *dns.NAPTR:
			if strings.EqualFold(v.Flags, "s") && v.Regexp == "" {
				naptr = append(naptr, v)
			}
		}
	}
	slices.SortStableFunc(naptr, func(x, y *dns.NAPTR) int {
		if x.Order != y.Order {
			return int(x.Order) - int(y.Order)
		}
		return int(x.Preference) - int(y.Preference)
	})
	for _, p := range naptr {
		a.pointers = append(a.pointers, pointer{p.Service, p.Replacement})
	}
	a.missing = len(a.addrs)+len(a.servers)+len(a.pointers) == 0
	a.stale = now.Add(stale)
	if a.missing {
		life, a.stale = missingLife(res), now.Add(notFound)
	}
	a.until = now.Add(min(max(life, minLife), maxLife))
	return a
}

// missingLife is how long a name server says that a name is missing (RFC 2308 §5).
func missingLife(res *dns.Msg) time.Duration {
	for _, rr := range res.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return min(notFound, time.Duration(min(soa.Minttl, soa.Hdr.Ttl))*time.Second)
		}
	}
	return minLife
}

func appendAddr(list []netip.Addr, ip net.IP) []netip.Addr {
	if a, ok := netip.AddrFromSlice(ip); ok {
		list = append(list, a.Unmap())
	}
	return list
}
