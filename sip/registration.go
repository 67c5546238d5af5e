package sip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/locate"
	"callbox/sip/wire"
)

// keepAlive is how often, in T1 (0.5 s), a registrar is pinged, so that NATs and
// firewalls keep the way back open (RFC 5626 §4.4 asks for 25–30 s).
const keepAlive = 50

// lookAround is how often, in T1 (0.5 s), a registration looks whether the box has
// another address towards its registrar.
const lookAround = 4

// RegState is how an outgoing registration stands.
type RegState struct {
	Registered bool
	Since      time.Time // when Registered last changed
	Expires    time.Time // end of the granted time, when Registered
	Retry      time.Time // next attempt, when not Registered
	Status     int       // last final response, 0 when none came
	Text       string    // one sentence: "registered at 192.0.2.1:5060 for 300 s", "refused with 403 Forbidden"
	Remote     netip.AddrPort
}

// RegistrationConfig describes an outgoing registration (RFC 3261 §10.2).
type RegistrationConfig struct {
	AOR       string // "sip:alice@atlanta.example"
	Registrar string // request URI; empty: "sip:" and the host of AOR
	Proxy     string // next hop as in Invite.Route; empty: Registrar
	Auth      Credentials
	Expires   time.Duration // wish; 0: 5 min
	// ContactUser is the user part of the contact; empty: that of AOR.
	ContactUser string
	Transport   string // as in Invite
	// OnState is told every change, in order, on the goroutine of Register.
	OnState func(RegState)
}

// registration is one run of Register.
type registration struct {
	s         *Stack
	cfg       RegistrationConfig
	aor, uri  gosip.Uri
	hop       gosip.Uri
	transport string // empty: as the records of the domain say
	callID    string
	tag       string
	seq       atomic.Uint32
	servers   []locate.Hop  // of the registrar, as they were last looked up
	expires   time.Duration // what we ask for; a 423 raises it
	state     RegState
	flow      wire.Flow            // of the last success
	open      bool                 // the registrar may have a binding of ours
	bound     *gosip.ContactHeader // that binding
}

// Register keeps a registration alive until ctx ends, then removes it (for at
// most 4 T1) and returns nil. It refreshes at 80 % of the granted time, and
// sooner to come back to a better server that failed before. After a failure it
// tries again with a pause that doubles from 4 T1 to 600 T1 (2 s to 5 min), with
// jitter, and not before the time in Retry-After (at most 1 h). When the address
// of ours that reaches the registrar changes, it registers at once. Only a wrong
// configuration returns an error.
func (s *Stack) Register(ctx context.Context, cfg RegistrationConfig) error {
	r, err := s.newRegistration(cfg)
	if err != nil {
		return err
	}
	pause := 4 * s.cfg.T1
	for {
		granted, err := r.once(ctx, r.expires)
		if ctx.Err() != nil || errors.Is(err, ErrClosed) {
			break
		}
		wait := r.refresh(granted)
		if err != nil {
			wait = max(time.Duration(float64(pause)*(0.75+rand.Float64()/2)), retryAfter(err))
			pause = min(2*pause, 600*s.cfg.T1)
			r.failed(err, wait)
		} else {
			pause = 4 * s.cfg.T1
			r.succeeded(granted)
		}
		if !r.sleep(ctx, wait) {
			break
		}
	}
	r.unregister()
	return nil
}

// refresh is when to register again.
func (r *registration) refresh(granted time.Duration) time.Duration {
	wait := granted * 4 / 5
	if at := r.s.shun.soonest(r.servers); !at.IsZero() {
		wait = min(wait, max(time.Until(at), r.s.cfg.T1))
	}
	return wait
}

// retryAfter is how long the far end asked to be left alone.
func retryAfter(err error) time.Duration {
	var se *StatusError
	if errors.As(err, &se) {
		return min(se.RetryAfter, time.Hour)
	}
	return 0
}

func (s *Stack) newRegistration(cfg RegistrationConfig) (*registration, error) {
	r := &registration{s: s, cfg: cfg, callID: wire.NewTag(), tag: wire.NewTag(), expires: cfg.Expires}
	r.seq.Store(uint32(rand.IntN(1 << 16)))
	var err error
	if r.aor, err = parseURI(cfg.AOR); err != nil {
		return nil, err
	}
	if r.aor.User == "" {
		return nil, fmt.Errorf("sip: address of record %q has no user", cfg.AOR)
	}
	registrar := cfg.Registrar
	if registrar == "" {
		registrar = r.aor.Scheme + ":" + r.aor.Host
		if r.aor.Port > 0 {
			registrar += ":" + strconv.Itoa(r.aor.Port)
		}
	}
	if r.uri, err = parseURI(registrar); err != nil {
		return nil, err
	}
	r.hop = r.uri
	if cfg.Proxy != "" {
		if r.hop, err = parseURI(cfg.Proxy); err != nil {
			return nil, err
		}
	}
	r.transport = firstOf(cfg.Transport, transportOf(r.hop), transportOf(r.uri))
	if r.expires <= 0 {
		r.expires = 5 * time.Minute
	}
	return r, nil
}

func firstOf(vs ...string) string {
	for _, v := range vs {
		if v != "" {
			return v
		}
	}
	return ""
}

// once registers for the given time and tells how long it was granted.
func (r *registration) once(ctx context.Context, expires time.Duration) (time.Duration, error) {
	for range 3 { // a 423 may raise the time
		res, flow, err := r.send(ctx, expires)
		if err != nil {
			return 0, err
		}
		r.state.Status, r.state.Remote = res.StatusCode, flow.Remote
		if res.StatusCode == 423 {
			if secs := headerSeconds(res, "Min-Expires"); secs > expires && secs <= 24*time.Hour {
				r.expires, expires = secs, secs
				continue
			}
		}
		if res.StatusCode >= 300 {
			r.open = false
			return 0, statusError(res)
		}
		r.flow = flow
		r.bound = r.contact(flow.Transport, flow.Remote.Addr())
		return r.granted(res, expires), nil
	}
	return 0, &StatusError{Status: 423, Text: phrase(423)}
}

// granted reads the time that the registrar gave our contact.
func (r *registration) granted(res *gosip.Response, asked time.Duration) time.Duration {
	got := asked
	if v := headerSeconds(res, "Expires"); v > 0 {
		got = v
	}
	user := escapeUser(r.contactUser())
	for _, c := range contactsOf(res) {
		if c.Address.User != user {
			continue
		}
		if v, ok := wire.Param(c.Params, "expires"); ok {
			if n, err := strconv.ParseUint(v, 10, 31); err == nil && n > 0 {
				got = time.Duration(n) * time.Second
			}
		}
	}
	return min(got, 24*time.Hour)
}

// headerSeconds reads a number of seconds, which parameters or a comment may
// follow (RFC 3261 §20.33).
func headerSeconds(m *gosip.Response, name string) time.Duration {
	h := m.GetHeader(name)
	if h == nil {
		return 0
	}
	digits := strings.TrimSpace(h.Value())
	if end := strings.IndexFunc(digits, func(c rune) bool { return c < '0' || c > '9' }); end >= 0 {
		digits = digits[:end]
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

func (r *registration) contactUser() string { return firstOf(r.cfg.ContactUser, userOf(r.aor)) }

// send sends one REGISTER and waits for its final response.
func (r *registration) send(ctx context.Context, expires time.Duration) (*gosip.Response, wire.Flow, error) {
	var err error
	if r.servers, err = r.s.resolve(ctx, r.hop, r.transport); err != nil {
		return nil, wire.Flow{}, err
	}
	servers := r.s.shun.last(r.servers, 0)
	first := servers[0]
	contact := r.contact(first.Transport, first.Addr.Addr())
	req := gosip.NewRequest(gosip.REGISTER, r.uri)
	from := &gosip.FromHeader{Address: r.aor}
	from.Params.Add("tag", r.tag)
	callID := gosip.CallIDHeader(r.callID)
	hops := gosip.MaxForwardsHeader(70)
	for _, h := range []gosip.Header{
		&hops, from, &gosip.ToHeader{Address: r.aor}, &callID, &gosip.CSeqHeader{SeqNo: r.seq.Add(1), MethodName: gosip.REGISTER},
		contact,
		gosip.NewHeader("Expires", strconv.Itoa(int(expires/time.Second))),
		gosip.NewHeader("User-Agent", r.s.cfg.UserAgent),
	} {
		req.AppendHeader(h)
	}
	// Where we were is nobody any more (RFC 3261 §10.2.2).
	if old := r.bound; old != nil && contactKey(old.Address) != contactKey(contact.Address) {
		gone := gosip.HeaderClone(old).(*gosip.ContactHeader)
		gone.Params.Add("expires", "0")
		req.AppendHeader(gone)
	}
	if _, lr := wire.Param(r.hop.UriParams, "lr"); lr {
		req.AppendHeader(&gosip.RouteHeader{Address: r.hop})
	}
	req.SetBody(nil)
	x := &exchange{s: r.s, req: req, creds: r.creds(), seq: func() uint32 { return r.seq.Add(1) },
		dest: wire.Dest{Host: r.hop.Host}.Towards(first.Transport, first.Addr), next: servers[1:]}
	r.open = true
	return x.roundTrip(ctx)
}

// contact is our Contact towards a registrar, as we are known now.
func (r *registration) contact(transport string, registrar netip.Addr) *gosip.ContactHeader {
	return r.s.contact(r.contactUser(), transport, registrar, wire.Flow{})
}

func (r *registration) creds() *Credentials {
	if r.cfg.Auth.Username == "" {
		return nil
	}
	return &r.cfg.Auth
}

func (r *registration) succeeded(granted time.Duration) {
	now := time.Now()
	if !r.state.Registered {
		r.state.Since = now
	}
	r.state.Registered, r.state.Expires, r.state.Retry = true, now.Add(granted), time.Time{}
	r.state.Text = fmt.Sprintf("registered at %s for %d s", r.state.Remote, granted/time.Second)
	r.tell()
}

func (r *registration) failed(err error, wait time.Duration) {
	now := time.Now()
	if r.state.Registered || r.state.Since.IsZero() {
		r.state.Since = now
	}
	r.state.Registered, r.state.Expires, r.state.Retry = false, time.Time{}, now.Add(wait)
	var se *StatusError
	switch {
	case errors.As(err, &se):
		r.state.Text = fmt.Sprintf("refused with %d %s", se.Status, se.Text)
	case errors.Is(err, ErrTimeout):
		r.state.Status, r.state.Text = 0, "no answer from "+r.hop.Host
	default:
		r.state.Status, r.state.Text = 0, trouble(err, r.hop.Host)
	}
	r.s.log.Warn("SIP registration failed", "aor", r.aor.Addr(), "status", r.state.Status, "err", r.state.Text)
	r.tell()
}

func (r *registration) tell() {
	if r.cfg.OnState != nil {
		r.cfg.OnState(r.state)
	}
}

// sleep waits for the next attempt and keeps the way back open; a lost
// connection ends it early. False means that it is over.
func (r *registration) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	ping := time.NewTicker(keepAlive * r.s.cfg.T1)
	defer ping.Stop()
	network := time.NewTicker(lookAround * r.s.cfg.T1)
	defer network.Stop()
	at := r.where()
	var lost <-chan struct{}
	if r.state.Registered {
		lost = r.flow.Done()
	}
	for {
		select {
		case <-ctx.Done():
			return false
		case <-r.s.base.Done():
			return false
		case <-t.C:
			return true
		case <-lost:
			lost = nil
			t.Reset(min(d, r.s.cfg.T1)) // not at once: the far end may be starting again
		case <-network.C:
			// Another address of ours, or a network that came back: what the registrar
			// has is of no use, or can be renewed.
			if now := r.where(); now != at && now != "" {
				r.s.log.Info("the address towards the registrar changed", "aor", r.aor.Addr(), "from", at, "to", now)
				return true
			} else if now == "" {
				at = now
			}
		case <-ping.C:
			if r.state.Registered && r.flow.Valid() && r.flow.Alive() {
				r.flow.Ping()
			}
		}
	}
}

// anywhere is an address beyond every network of ours (RFC 5737): the way to it is
// the default one.
var anywhere = netip.AddrFrom4([4]byte{198, 51, 100, 1})

// where is our address towards the registrar and what it is shown; empty without a
// network.
func (r *registration) where() string {
	local := r.local()
	if !local.IsValid() {
		return ""
	}
	host, port := r.s.wire.SentBy(firstOf(r.flow.Transport, r.transport, wire.UDP), r.target(), wire.Flow{})
	return local.String() + " shown as " + net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// local is our address towards the registrar, or, as long as that is unknown,
// towards everybody; invalid without a network. It costs a few system calls.
func (r *registration) local() netip.Addr {
	return r.s.wire.LocalFor(r.target(), netip.Addr{})
}

// target is the registrar's address, as well as it is known.
func (r *registration) target() netip.Addr {
	switch {
	case r.state.Registered:
		return r.flow.Remote.Addr()
	case len(r.servers) > 0:
		return r.servers[0].Addr.Addr()
	}
	return anywhere
}

// unregister removes our contact, as well as it goes in 4 T1.
func (r *registration) unregister() {
	if !r.open {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*r.s.cfg.T1)
	defer cancel()
	_, _, _ = r.send(ctx, 0) // the binding expires by itself when this is lost
	r.state.Registered, r.state.Since, r.state.Expires, r.state.Text = false, time.Now(), time.Time{}, "unregistered"
	r.tell()
}
