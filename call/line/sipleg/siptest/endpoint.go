package siptest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"callbox/call"
	"callbox/call/line/linetest"
	"callbox/media/codec"
	"callbox/media/rtp"
	"callbox/sip"
	"callbox/sip/sdp"
)

var (
	_ linetest.FarEnd = (*Endpoint)(nil)
	_ linetest.Voice  = (*Endpoint)(nil)
)

// Keys is how an endpoint presses its keys.
type Keys int

const (
	Events Keys = iota // telephone events (RFC 4733)
	Info               // SIP INFO, and no telephone events in the session
	Tones              // tones in the sound, and no telephone events in the session
)

// Config describes an endpoint.
type Config struct {
	Host string // its loopback address: "127.0.0.2"
	// Box is the SIP address of the box, Transport the way to it (empty: "udp").
	Box       netip.AddrPort
	Transport string
	// User and Password are its account at the box; without a password it is a
	// provider, known by address.
	User, Password string
	Register       bool // register with the box, as a phone does
	Keys           Keys
	// Codecs are named as in call.Dial, best first; the box's own follow. With a
	// foreign one in use the endpoint is silent.
	Codecs []string
	// Account is what the endpoint demands of calls from the box: with it, the
	// endpoint is a registrar that the box registers with.
	Account *sip.Credentials
	// Terms are how it keeps its calls.
	Terms sip.Terms
	// Stay has it send its sound for the whole call to where it sent it first.
	Stay bool
}

func (c Config) codecs() []codec.Codec {
	named := sdp.Named(c.Codecs)
	return sdp.Prefer(append(codec.All(), named...), named)
}

// Endpoint is one SIP phone or provider with one call at a time. All methods may
// be called from any goroutine.
type Endpoint struct {
	t     testing.TB
	cfg   Config
	Stack *sip.Stack
	ports *rtp.PortPool

	calls   sync.WaitGroup // parties that hold a port
	leaving func()         // ends the registration; may be nil, may be called again

	mu     sync.Mutex // guards what follows, and the parties' fields
	change chan struct{}
	busy   bool
	refuse *refusal
	mute   bool   // send no RTP
	shown  string // the identity that the box told last
	fixed  int    // refuse changes of the session with this status; 0: take them
	answer []byte // answer with this instead of a session description
	now    *party // the present call
	last   *party // the present or the last call
	invite []sip.DialogInfo
	told   []sip.Message // requests within calls, besides keys
	fax    *Fax          // its fax machine; nil: none
	takes  string        // attributes with which it takes faxes; empty: it does not
}

// refusal is how every call is refused.
type refusal struct {
	status int
	reason sip.Reason
}

// NewEndpoint starts an endpoint that lives until the test ends.
func NewEndpoint(t testing.TB, cfg Config) *Endpoint {
	t.Helper()
	a := &Endpoint{t: t, cfg: cfg, change: make(chan struct{})}
	a.ports = NewPorts(t, cfg.Host)
	t.Cleanup(a.calls.Wait) // when the stack has stopped, which ends the calls
	a.Stack = NewStack(t, cfg.Host)
	t.Cleanup(a.leave)
	peer := sip.Peer{Name: "box", Invite: a.arrived, Terms: cfg.Terms}
	if cfg.Account != nil {
		peer.Username, peer.Password, peer.Register = cfg.Account.Username, cfg.Account.Password, true
	}
	if cfg.Account == nil {
		peer.Addrs = []netip.Prefix{netip.PrefixFrom(cfg.Box.Addr(), cfg.Box.Addr().BitLen())}
	}
	if _, err := a.Stack.AddPeer(peer); err != nil {
		t.Fatal(err)
	}
	return a
}

// Register registers with the box, as a phone does, until Leave or the end of
// the test. It returns when the registration stands; the box must know the user.
func (a *Endpoint) Register() {
	a.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	registered, done := make(chan struct{}), make(chan struct{})
	var once sync.Once
	go func() {
		defer close(done)
		err := a.Stack.Register(ctx, sip.RegistrationConfig{
			AOR: "sip:" + a.cfg.User + "@" + a.cfg.Box.String(), Auth: a.credentials(), Transport: a.cfg.Transport,
			OnState: func(st sip.RegState) {
				if st.Registered {
					once.Do(func() { close(registered) })
				}
			},
		})
		if err != nil {
			a.t.Errorf("register: %v", err)
		}
	}()
	a.leaving = func() { cancel(); <-done }
	a.t.Cleanup(a.Leave)
	wait, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	select {
	case <-registered:
	case <-wait.Done():
		a.t.Fatalf("endpoint %s did not register within %v", a.cfg.User, patience)
	}
}

func (a *Endpoint) credentials() sip.Credentials {
	return sip.Credentials{Username: a.cfg.User, Password: a.cfg.Password}
}

// Leave ends the registration in good order.
func (a *Endpoint) Leave() {
	if a.leaving != nil {
		a.leaving()
	}
}

// leave ends the last call and waits for its goroutines.
func (a *Endpoint) leave() {
	a.mu.Lock()
	p := a.last
	a.mu.Unlock()
	if p != nil {
		p.d.Hangup(sip.Reason{Q850: call.Q850Normal})
		<-p.done
	}
}

// Addr is where the endpoint takes SIP over UDP.
func (a *Endpoint) Addr() netip.AddrPort { return a.Stack.Addr("udp") }

// wait waits until ok, which is called with the lock held.
func (a *Endpoint) wait(ctx context.Context, what string, ok func() bool) error {
	for {
		a.mu.Lock()
		done, change := ok(), a.change
		a.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return fmt.Errorf("endpoint %s: %s: %w", a.cfg.User, what, ctx.Err())
		}
	}
}

// signal wakes the waiters; the lock is held.
func (a *Endpoint) signal() {
	close(a.change)
	a.change = make(chan struct{})
}

// arrived is an INVITE from the box.
func (a *Endpoint) arrived(d *sip.Dialog) {
	a.mu.Lock()
	a.invite = append(a.invite, d.Info())
	refuse := a.refuse
	if refuse == nil && (a.busy || a.now != nil) {
		refuse = &refusal{486, sip.Reason{Q850: call.Q850Busy, Text: "User busy"}}
	}
	a.mu.Unlock()
	if refuse != nil {
		d.Reject(refuse.status, refuse.reason)
		for range d.Events() { //nolint:revive // it ends at once
		}
		return
	}
	p, err := a.newParty(d, d.Info().Local)
	if err != nil {
		a.t.Errorf("endpoint: %v", err)
		d.Reject(500, sip.Reason{})
		return
	}
	p.ringing = true
	if err := d.Ring(180, nil); err != nil && !errors.Is(err, sip.ErrEnded) {
		a.t.Errorf("endpoint: ring: %v", err)
	}
	a.begin(p)
}

// begin makes p the present call.
func (a *Endpoint) begin(p *party) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now, a.last = p, p
	a.signal()
	go p.follow()
}

// present is the present call.
func (a *Endpoint) present() (*party, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.now == nil {
		return nil, errors.New("endpoint: there is no call")
	}
	return a.now, nil
}

// talking is the present call once requests may be sent in it: after the ACK of
// our answer.
func (a *Endpoint) talking(ctx context.Context) (*party, error) {
	err := a.wait(ctx, "ACK", func() bool {
		return a.now == nil || !a.now.d.Info().Inbound || a.now.confirmed
	})
	if err != nil {
		return nil, err
	}
	return a.present()
}

// WaitRing implements linetest.FarEnd.
func (a *Endpoint) WaitRing(ctx context.Context) error {
	return a.wait(ctx, "ring", func() bool { return a.now != nil && a.now.ringing })
}

// Answer implements linetest.FarEnd.
func (a *Endpoint) Answer(context.Context) error {
	p, err := a.present()
	if err != nil {
		return err
	}
	return p.pickUp()
}

// Hangup implements linetest.FarEnd.
func (a *Endpoint) Hangup(context.Context) error {
	a.mu.Lock()
	a.busy = false
	p := a.now
	ringing := p != nil && p.ringing
	a.mu.Unlock()
	switch {
	case p == nil:
	case ringing:
		p.d.Reject(603, sip.Reason{Q850: call.Q850Rejected})
	default:
		p.d.Hangup(sip.Reason{Q850: call.Q850Normal})
	}
	return nil
}

// Busy implements linetest.FarEnd.
func (a *Endpoint) Busy(context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy = true
	return nil
}

// Call implements linetest.FarEnd.
func (a *Endpoint) Call(ctx context.Context, number string) error {
	return a.call(ctx, number, nil, false)
}

// CallWithoutOffer calls with an INVITE that has no session description: the
// box offers in its 200.
func (a *Endpoint) CallWithoutOffer(ctx context.Context, number string) error {
	return a.call(ctx, number, nil, true)
}

// CallWith calls with any body as session description; the endpoint itself has no
// sound then.
func (a *Endpoint) CallWith(ctx context.Context, number string, body []byte) error {
	return a.call(ctx, number, body, false)
}

func (a *Endpoint) call(ctx context.Context, number string, body []byte, late bool) error {
	p, err := a.newParty(nil, netip.MustParseAddr(a.cfg.Host))
	if err != nil {
		return err
	}
	inv := sip.Invite{
		Target: "sip:" + number + "@" + a.cfg.Box.String(), From: a.cfg.User, Transport: a.cfg.Transport,
		Headers: []sip.Header{{Name: "X-Test", Value: "yes"}}, Terms: a.cfg.Terms,
	}
	if a.cfg.Password != "" {
		c := a.credentials()
		inv.Auth = &c
	}
	p.late, p.raw, inv.SDP = late, body != nil, body
	if !late && body == nil {
		if inv.SDP, err = p.session.Offer(p.local); err != nil {
			return err
		}
	}
	if p.d, err = a.Stack.Invite(ctx, inv); err != nil {
		_ = p.stream.Close()
		a.calls.Done()
		return err
	}
	a.begin(p)
	return nil
}

// WaitEnd implements linetest.FarEnd.
func (a *Endpoint) WaitEnd(ctx context.Context) (call.Cause, error) {
	if err := a.wait(ctx, "end", func() bool { return a.now == nil }); err != nil {
		return call.Cause{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last == nil {
		return call.Cause{}, nil
	}
	return a.last.cause, nil
}

// Refuse refuses every call from now on; status 0 takes calls again.
func (a *Endpoint) Refuse(status int, r sip.Reason) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refuse = nil
	if status != 0 {
		a.refuse = &refusal{status, r}
	}
}

// Mute stops and starts the sending of RTP.
func (a *Endpoint) Mute(on bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mute = on
}

// AnswerWith answers calls with body instead of a proper session description.
func (a *Endpoint) AnswerWith(body []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = body
}

// Invites are the INVITEs that have arrived, oldest first.
func (a *Endpoint) Invites() []sip.DialogInfo {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]sip.DialogInfo(nil), a.invite...)
}

// Early starts to send sound before the answer (183).
func (a *Endpoint) Early() error {
	p, err := a.present()
	if err != nil {
		return err
	}
	body, err := p.describe()
	if err != nil {
		return err
	}
	return p.d.Ring(183, body)
}

// Reoffer offers a changed session: another direction for hold and resume, and
// with fresh set another port.
func (a *Endpoint) Reoffer(ctx context.Context, dir sdp.Direction, fresh bool) error {
	p, err := a.talking(ctx)
	if err != nil {
		return err
	}
	return p.reoffer(ctx, dir, fresh)
}

// ReofferRaw sends a re-INVITE with any body and gives the answer.
func (a *Endpoint) ReofferRaw(ctx context.Context, body []byte) ([]byte, error) {
	p, err := a.talking(ctx)
	if err != nil {
		return nil, err
	}
	return p.d.Reinvite(ctx, body)
}

// RefuseOffers refuses every change of the session from now on; status 0 takes
// them again.
func (a *Endpoint) RefuseOffers(status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fixed = status
}

// WaitUp waits until a call that the endpoint made is answered.
func (a *Endpoint) WaitUp(ctx context.Context) error {
	return a.wait(ctx, "answer", func() bool { return a.now != nil && a.now.up })
}

// ReofferPatiently sends a re-INVITE, and again as long as the box does.
func (a *Endpoint) ReofferPatiently(ctx context.Context) error {
	p, err := a.talking(ctx)
	if err != nil {
		return err
	}
	for {
		err := p.reoffer(ctx, sdp.SendRecv, false)
		if !errors.Is(err, sip.ErrGlare) {
			return err
		}
		t := time.NewTimer(p.d.Backoff())
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// Shown is the identity that the box has told last within the present call.
func (a *Endpoint) Shown() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.shown
}

// Identify tells the box another identity.
func (a *Endpoint) Identify(ctx context.Context, value string) error {
	p, err := a.talking(ctx)
	if err != nil {
		return err
	}
	return p.d.Identify(ctx, []sip.Header{{Name: "P-Asserted-Identity", Value: value}})
}
