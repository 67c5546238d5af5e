package user

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"callbox/call"
	"callbox/call/line/sipleg"
	"callbox/media/rtp"
	"callbox/media/webrtc"
	"callbox/sip"
	"callbox/sip/sdp"
)

var (
	_ call.Line     = (*Line)(nil)
	_ call.Reporter = (*Line)(nil)
)

// maxForks bounds the phones that ring for one call.
const maxForks = 10

// Config describes a user.
type Config struct {
	// ID is the line's name, and the phone's address of record: "201".
	ID string
	// Username is the name that the phones register with; empty: ID.
	Username string
	Password string
	// Channels bounds the calls at one time; 0: no limit.
	Channels int
	// Codecs are those of the line, best first; empty: PCMU and PCMA.
	Codecs []string
	// InbandDigits uses tones instead of telephone events.
	InbandDigits bool
	// Security says whether sound is protected (SRTP): the zero value is not.
	Security sdp.Security
	// Identity is shown to browsers; nil: they cannot talk.
	Identity *webrtc.Identity
	// Silence is after how long without RTP the phone is asked whether it still has
	// the call; 0: never.
	Silence time.Duration
	// Onward lets whom is called send calls on to others (3xx).
	Onward bool
	// Terms are how calls are kept.
	Terms sip.Terms
	// Advertise gives the address for sound that is shown to far ends outside of our
	// network instead of the local one; the zero Addr, or nil: the local one.
	Advertise func() netip.Addr
}

func (c Config) user() string {
	if c.Username != "" {
		return c.Username
	}
	return c.ID
}

// Validate reports the first thing wrong with the configuration.
func (c Config) Validate() error {
	switch {
	case c.ID == "":
		return errors.New("user line: no name")
	case c.Password == "":
		return fmt.Errorf("user line %s: no password, anybody could register", c.ID)
	case c.Channels < 0:
		return fmt.Errorf("user line %s: %d channels", c.ID, c.Channels)
	case c.Silence < 0:
		return fmt.Errorf("user line %s: a silence of %v", c.ID, c.Silence)
	}
	return nil
}

// Line is a user. Its methods may be called from any goroutine.
type Line struct {
	cfg   Config
	stack *sip.Stack
	legs  *sipleg.Group
	log   *slog.Logger

	mu    sync.Mutex // guards what follows
	ready bool
	since time.Time
	text  string
}

// New makes the line of a user on a stack that is, or will be, served. ports
// gives the RTP ports. A nil logger discards.
func New(cfg Config, stack *sip.Stack, ports *rtp.PortPool, logger *slog.Logger) (*Line, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	l := &Line{cfg: cfg, stack: stack, log: logger.With("line", cfg.ID), since: time.Now(), text: "not running"}
	l.legs = sipleg.NewGroup(sipleg.Config{
		Line: cfg.ID, Kind: call.User, Title: "user " + cfg.ID, Ports: ports, Advertise: cfg.Advertise,
		Channels: cfg.Channels, Codecs: cfg.Codecs, InbandDigits: cfg.InbandDigits, Security: cfg.Security, Identity: cfg.Identity, Silence: cfg.Silence, Terms: cfg.Terms, Onward: cfg.Onward,
		Show:      func(p call.Party, host string) []sip.Header { return []sip.Header{sipleg.Asserted(p, host)} },
		Transfers: true, Logger: logger,
	})
	return l, nil
}

// ID implements call.Line.
func (l *Line) ID() string { return l.cfg.ID }

// Kind implements call.Line.
func (l *Line) Kind() call.Kind { return call.User }

// Status implements call.Reporter.
func (l *Line) Status() call.LineStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	return call.LineStatus{Ready: l.ready, Since: l.since, Text: l.text, Busy: l.legs.Busy(), Max: l.cfg.Channels}
}

// Serve implements call.Line. It fails when the user name is taken by another
// line. It may be called again after it has returned.
func (l *Line) Serve(ctx context.Context, in call.Receiver) error {
	l.legs.Open()
	l.registered(nil) // a new peer has no phones yet
	remove, err := l.stack.AddPeer(sip.Peer{
		Name: l.cfg.ID, Username: l.cfg.user(), Password: l.cfg.Password, Register: true, Terms: l.cfg.Terms,
		Bindings: l.registered,
		Invite:   func(d *sip.Dialog) { l.arrived(d, in) },
	})
	if err != nil {
		l.legs.Close(stopped())
		l.setStatus(false, err.Error())
		return fmt.Errorf("user line %s: %w", l.cfg.ID, err)
	}
	<-ctx.Done()
	remove()
	l.legs.Close(stopped())
	l.setStatus(false, "not running")
	return nil
}

func stopped() call.Cause {
	return call.Cause{Q850: call.Q850OutOfOrder, SIP: 503, Who: call.Box, Text: "the line was stopped"}
}

// registered is told the phones whenever they change.
func (l *Line) registered(b []sip.Binding) {
	switch len(b) {
	case 0:
		l.setStatus(false, "no phone registered")
	case 1:
		l.setStatus(true, fmt.Sprintf("registered from %v over %s", b[0].Source, b[0].Transport))
	default:
		l.setStatus(true, fmt.Sprintf("%d phones registered, the latest from %v over %s", len(b), b[0].Source, b[0].Transport))
	}
}

func (l *Line) setStatus(ready bool, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ready != l.ready {
		l.ready, l.since = ready, time.Now()
	}
	if text != l.text {
		l.text = text
		l.log.Info("line status", "ready", ready, "text", text)
	}
}

// Dial implements call.Line: it rings all registered phones.
func (l *Line) Dial(ctx context.Context, d call.Dial) (call.Leg, error) {
	headers, err := sipleg.Headers(d)
	if err != nil {
		return nil, err
	}
	phones := l.stack.Bindings(l.cfg.user())
	if len(phones) == 0 {
		return nil, call.Cause{
			Q850: call.Q850Absent, SIP: 480, Who: call.Box,
			Text: fmt.Sprintf("user %s has no phone registered (SIP 480)", l.cfg.ID),
		}
	}
	o := sipleg.Outgoing{Codecs: d.Codecs, Pass: d.Pass, To: l.cfg.ID, From: d.From, FromName: d.FromName}
	for i := range phones[:min(len(phones), maxForks)] {
		local, remote := phones[i].Local, phones[i].Source.Addr()
		if d.Proxy != "" { // then that is whom we speak to
			if _, addrs, err := l.stack.Resolve(ctx, d.Proxy); err == nil {
				remote = addrs[0].Addr()
				local = l.stack.LocalFor(remote.String())
			}
		}
		o.Invites = append(o.Invites, sipleg.Invite{
			Local: local, Remote: remote,
			Invite: sip.Invite{
				Binding: &phones[i], From: sipleg.Caller(d.From), FromName: d.FromName, Headers: headers,
				Auth: sipleg.Credentials(d.Auth), To: d.ToURI, FromHost: d.FromHost, Route: d.Proxy,
			},
		})
	}
	leg, err := l.legs.Dial(ctx, l.stack, o)
	if err != nil {
		return nil, err
	}
	return leg, nil
}

// arrived is an INVITE from one of the phones.
func (l *Line) arrived(d *sip.Dialog, in call.Receiver) {
	di := d.Info()
	leg, err := l.legs.Incoming(d, call.LegInfo{
		// The digest proved who calls: the number in From is the phone's own affair.
		From: l.cfg.ID, FromName: di.FromName, To: sipleg.UserOf(di.RequestURI), Private: private(di),
		Forwarded: sipleg.UserOf(sipleg.Header(di.Headers, "Diversion")), Headers: sipleg.Extensions(di.Headers),
	})
	if err != nil {
		return // it was refused and logged
	}
	in.Incoming(leg)
}

// private reports whether the phone hides its caller (RFC 3323 §4.2).
func private(di sip.DialogInfo) bool {
	wish := strings.ToLower(sipleg.Header(di.Headers, "Privacy"))
	return strings.EqualFold(di.From, "anonymous") || wish != "" && wish != "none"
}
