package trunk

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"callbox/call"
	"callbox/call/line/sipleg"
	"callbox/media/rtp"
	"callbox/sip"
)

var (
	_ call.Line     = (*Line)(nil)
	_ call.Reporter = (*Line)(nil)
)

const (
	// lookUpEvery is how often the trunk's addresses are looked up again; names of
	// providers move between hosts within minutes.
	lookUpEvery = 5 * time.Minute
	// lookUpAgain is the pause after a failed look-up.
	lookUpAgain = 15 * time.Second
	// lookUpTime bounds one look-up.
	lookUpTime = 10 * time.Second
)

// Line is a trunk. Its methods may be called from any goroutine.
type Line struct {
	cfg   Config
	stack *sip.Stack
	legs  *sipleg.Group
	log   *slog.Logger

	mu     sync.Mutex // guards what follows
	status call.LineStatus
	remote netip.AddrPort // the registrar that was reached
	down   string         // why no call can be placed, in a sentence; empty: one can
}

// New makes a trunk on a stack that is, or will be, served. ports gives the RTP
// ports. A nil logger discards.
func New(cfg Config, stack *sip.Stack, ports *rtp.PortPool, logger *slog.Logger) (*Line, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	l := &Line{
		cfg: cfg, stack: stack, log: logger.With("line", cfg.ID),
		status: call.LineStatus{Since: time.Now(), Text: "not running"},
	}
	l.legs = sipleg.NewGroup(sipleg.Config{
		Line: cfg.ID, Kind: call.Trunk, Title: "trunk " + cfg.ID, Ports: ports, Advertise: cfg.Advertise,
		Channels: cfg.Channels, In: cfg.In, Out: cfg.Out, Codecs: cfg.Codecs, InbandDigits: cfg.InbandDigits, Security: cfg.Security, Silence: cfg.Silence, Terms: cfg.Terms, Onward: cfg.Onward, Show: cfg.show, Believe: cfg.Identity.party,
		Transfers: cfg.Transfers, Logger: logger,
	})
	return l, nil
}

// ID implements call.Line.
func (l *Line) ID() string { return l.cfg.ID }

// Kind implements call.Line.
func (l *Line) Kind() call.Kind { return call.Trunk }

// Status implements call.Reporter.
func (l *Line) Status() call.LineStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := l.status
	st.Busy, st.Max = l.legs.Busy(), l.cfg.Channels
	return st
}

func (l *Line) setStatus(ready bool, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ready != l.status.Ready {
		l.status.Ready, l.status.Since = ready, time.Now()
	}
	if text != l.status.Text {
		l.status.Text = text
		l.log.Info("line status", "ready", ready, "text", text)
	}
}

// Serve implements call.Line. It registers, keeps the trunk's addresses known
// to the stack, and takes its calls. It may be called again after it has
// returned.
func (l *Line) Serve(ctx context.Context, in call.Receiver) error {
	l.legs.Open()
	moved := make(chan struct{}, 1) // the registrar was reached at a new address
	var registering sync.WaitGroup
	var registration error
	l.isDown("")
	if l.cfg.Register {
		l.setStatus(false, "registering")
		registering.Add(1)
		go func() {
			defer registering.Done()
			registration = l.register(ctx, moved)
		}()
	}
	if l.cfg.KeepAlive > 0 {
		registering.Go(func() { l.keepAlive(ctx) })
	}
	if l.cfg.Host == "" {
		registration = l.expect(ctx, in)
	} else {
		l.listen(ctx, in, moved)
	}
	registering.Wait()
	l.legs.Close(stopped())
	l.setStatus(false, "not running")
	return registration
}

func stopped() call.Cause {
	return call.Cause{Q850: call.Q850OutOfOrder, SIP: 503, Who: call.Box, Text: "the line was stopped"}
}

// register keeps the registration alive.
func (l *Line) register(ctx context.Context, moved chan<- struct{}) error {
	registrar, proxy := "sip:"+l.cfg.Host+l.cfg.transportParam(), l.cfg.Proxy
	if l.cfg.Realm != "" {
		registrar, proxy = "sip:"+l.cfg.Realm, cmp.Or(proxy, registrar)
	}
	err := l.stack.Register(ctx, sip.RegistrationConfig{
		AOR: "sip:" + sipleg.EscapeUser(l.cfg.Username) + "@" + l.cfg.domain(), Registrar: registrar,
		Proxy: proxy, Auth: sip.Credentials{Username: l.cfg.Username, Password: l.cfg.Password},
		Expires: l.cfg.Expires, Transport: l.cfg.Transport,
		OnState: func(st sip.RegState) {
			l.setStatus(st.Registered, st.Text)
			if l.cfg.KeepAlive == 0 && (st.Registered || st.Status != 0) {
				l.isDown("")
			} else if l.cfg.KeepAlive == 0 {
				l.isDown(st.Text) // who does not hear a REGISTER hears no INVITE
			}
			l.mu.Lock()
			changed := st.Remote.IsValid() && st.Remote != l.remote
			if changed {
				l.remote = st.Remote
			}
			l.mu.Unlock()
			if changed {
				select {
				case moved <- struct{}{}:
				default: // a look-up is due already
				}
			}
		},
	})
	if err != nil {
		return fmt.Errorf("trunk %s: %w", l.cfg.ID, err)
	}
	return nil
}

// listen keeps a peer with the trunk's present addresses in the stack until
// ctx ends.
func (l *Line) listen(ctx context.Context, in call.Receiver, moved <-chan struct{}) {
	var known []netip.Prefix
	remove := func() {}
	defer func() { remove() }()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-moved:
		case <-timer.C:
		}
		pause := lookUpEvery
		addrs, err := l.addresses(ctx)
		if err == nil && !slices.Equal(addrs, known) {
			// The stack refuses an address twice, so the old peer goes first: a call in
			// this moment is repeated by the provider's transaction layer.
			remove()
			remove = func() {}
			known = nil
			var forget func()
			if len(addrs) == 0 && l.cfg.InUsername == "" {
				known = addrs // no calls come from it
			} else if forget, err = l.stack.AddPeer(l.peer(addrs, in)); err == nil {
				remove, known = forget, addrs
			}
		}
		if err != nil {
			pause = lookUpAgain
		}
		if ctx.Err() == nil {
			l.reachable(err)
		}
		timer.Reset(pause)
	}
}

func (l *Line) peer(addrs []netip.Prefix, in call.Receiver) sip.Peer {
	return sip.Peer{
		Name: l.cfg.ID, Addrs: addrs, Port: l.cfg.AllowPort, Username: l.cfg.InUsername, Password: l.cfg.InPassword,
		Terms:  l.cfg.Terms,
		Invite: func(d *sip.Dialog) { l.arrived(d, in) },
	}
}

// reachable tells the status of a trunk without registration; with one, only
// what the registration does not know.
func (l *Line) reachable(err error) {
	switch {
	case err != nil && (!l.cfg.Register || !l.Status().Ready):
		l.setStatus(false, fmt.Sprintf("%s cannot be used: %v", l.cfg.Host, err))
	case err == nil && !l.cfg.Register && l.cfg.KeepAlive == 0:
		l.setStatus(true, "ready to call "+l.cfg.Host)
	}
}

// addresses are those that the trunk's calls may come from, sorted.
func (l *Line) addresses(ctx context.Context) ([]netip.Prefix, error) {
	ctx, cancel := context.WithTimeout(ctx, lookUpTime)
	defer cancel()
	out := slices.Clone(l.cfg.Allow)
	add := func(a netip.Addr) {
		if p := netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()); !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	var uris []string
	for _, h := range l.cfg.AllowHosts {
		uris = append(uris, "sip:"+h+l.cfg.transportParam())
	}
	if !l.cfg.AllowOnly {
		uris = append(uris, "sip:"+l.cfg.Host+l.cfg.transportParam())
		if l.cfg.Proxy != "" {
			uris = append(uris, l.cfg.Proxy)
		}
	}
	var failed error
	for _, uri := range uris {
		_, addrs, err := l.stack.Resolve(ctx, uri)
		if err != nil {
			failed = err
		}
		for _, a := range addrs {
			add(a.Addr())
		}
	}
	l.mu.Lock()
	remote := l.remote
	l.mu.Unlock()
	if remote.IsValid() {
		add(remote.Addr())
	}
	if len(out) == 0 {
		return nil, failed
	}
	slices.SortFunc(out, netip.Prefix.Compare)
	return out, nil
}
