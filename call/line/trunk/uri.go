package trunk

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"callbox/call"
	"callbox/call/line/sipleg"
	"callbox/media/rtp"
	"callbox/sip"
)

var (
	_ call.Line     = (*URILine)(nil)
	_ call.Reporter = (*URILine)(nil)
)

// URILineID is the name of the built-in line that dials bare SIP URIs.
const URILineID = "sip"

// URIConfig describes the line for bare SIP URIs. The zero value is useful.
type URIConfig struct {
	Channels  int               // 0: no limit
	Codecs    []string          // best first; empty: PCMU and PCMA
	Silence   time.Duration     // without RTP, then the far end is asked whether it has the call; 0: never
	Advertise func() netip.Addr // as in Config
}

// URILine dials any "sip:" or "sips:" URI, with the credentials and the proxy
// of the call itself. No call arrives on it. Its methods may be called from any
// goroutine.
type URILine struct {
	stack *sip.Stack
	legs  *sipleg.Group
	max   int

	mu     sync.Mutex // guards what follows
	status call.LineStatus
}

// NewURILine makes the line on a stack that is, or will be, served. A nil
// logger discards.
func NewURILine(cfg URIConfig, stack *sip.Stack, ports *rtp.PortPool, logger *slog.Logger) *URILine {
	return &URILine{
		stack: stack, max: cfg.Channels, status: call.LineStatus{Since: time.Now(), Text: "not running"},
		legs: sipleg.NewGroup(sipleg.Config{
			Line: URILineID, Kind: call.Trunk, Title: "the SIP line", Direct: true, Ports: ports, Advertise: cfg.Advertise,
			Channels: cfg.Channels, Codecs: cfg.Codecs, Silence: cfg.Silence, Logger: logger,
		}),
	}
}

// ID implements call.Line.
func (l *URILine) ID() string { return URILineID }

// Kind implements call.Line.
func (l *URILine) Kind() call.Kind { return call.Trunk }

// Status implements call.Reporter.
func (l *URILine) Status() call.LineStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := l.status
	st.Busy, st.Max = l.legs.Busy(), l.max
	return st
}

func (l *URILine) setStatus(ready bool, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status = call.LineStatus{Ready: ready, Since: time.Now(), Text: text}
}

// Serve implements call.Line.
func (l *URILine) Serve(ctx context.Context, _ call.Receiver) error {
	l.legs.Open()
	l.setStatus(true, "ready to call SIP addresses")
	<-ctx.Done()
	l.legs.Close(stopped())
	l.setStatus(false, "not running")
	return nil
}

// Dial implements call.Line. Dial.To is the URI.
func (l *URILine) Dial(ctx context.Context, d call.Dial) (call.Leg, error) {
	headers, err := sipleg.Headers(d)
	if err != nil {
		return nil, err
	}
	if !isURI(d.To) || sipleg.HostOf(d.To) == "" {
		return nil, call.Cause{
			Q850: call.Q850InvalidNumber, SIP: 484, Who: call.Box,
			Text: fmt.Sprintf("%q is not a SIP address (sip:user@host)", d.To),
		}
	}
	return dial(ctx, l.stack, l.legs, sip.Invite{
		Patience: patience, Target: d.To, To: d.ToURI, Route: d.Proxy, From: sipleg.Caller(d.From), FromName: d.FromName, FromHost: d.FromHost,
		Auth: sipleg.Credentials(d.Auth), Headers: headers,
	}, d)
}
