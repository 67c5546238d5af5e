package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/wire"
)

// probeAgain is how often, in T1 (0.5 s), a far end that is down is asked, and the
// most often that any is.
const probeAgain = 20

// KeepAliveConfig describes how a far end is asked whether it is there.
type KeepAliveConfig struct {
	Target    string // request URI: "sip:biloxi.example"
	Route     string // next hop as in Invite.Route; empty: Target
	Transport string // as in Invite
	Host      string // in From and Contact; empty: our address
	// Every is the pause between questions while it is up, at least 20 T1 (10 s).
	Every time.Duration
	// OnState is told the first state and every change, on the goroutine of KeepAlive.
	OnState func(PeerState)
}

// PeerState is how a far end stands.
type PeerState struct {
	Up     bool
	Status int            // of the answer, 0 when none came
	Remote netip.AddrPort // that answered
	Text   string         // one sentence: "192.0.2.7:5060 answers"
}

// KeepAlive asks a far end with OPTIONS, again and again, whether it is there,
// until ctx ends; it then returns nil. Whatever is answered shows that it is,
// but for 408, 502, 503 and 504, by which a proxy says that those behind it are
// not (RFC 3261 §21.5). Nothing within 4 s of each of its servers means that it is
// down, and it is asked again every 10 s. Only a wrong configuration returns an
// error.
func (s *Stack) KeepAlive(ctx context.Context, cfg KeepAliveConfig) error {
	target, err := parseURI(cfg.Target)
	if err != nil {
		return err
	}
	hop := target
	if cfg.Route != "" {
		if hop, err = parseURI(cfg.Route); err != nil {
			return err
		}
	}
	k := keeper{s: s, cfg: cfg, target: target, hop: hop, callID: wire.NewTag(), tag: wire.NewTag()}
	every := max(cfg.Every, probeAgain*s.cfg.T1)
	var last PeerState
	for first := true; ; first = false {
		st := k.ask(ctx)
		if ctx.Err() != nil || s.base.Err() != nil {
			return nil
		}
		if first || st.Up != last.Up || st.Text != last.Text {
			last = st
			if cfg.OnState != nil {
				cfg.OnState(st)
			}
		}
		pause := every
		if !st.Up {
			pause = min(every, probeAgain*s.cfg.T1)
		}
		s.pause(ctx, pause)
	}
}

// keeper is one run of KeepAlive.
type keeper struct {
	s           *Stack
	cfg         KeepAliveConfig
	target, hop gosip.Uri
	callID, tag string
	seq         uint32
}

// ask asks once.
func (k *keeper) ask(ctx context.Context) PeerState {
	s := k.s
	servers, err := s.resolve(ctx, k.hop, firstOf(k.cfg.Transport, transportOf(k.hop), transportOf(k.target)))
	if err != nil {
		return PeerState{Text: trouble(err, addrsText(addrsOf(servers)))}
	}
	servers = s.shun.last(servers, 0)
	first := servers[0]
	k.seq++
	contact := s.contact("", first.Transport, first.Addr.Addr(), wire.Flow{})
	contact.Address.Host = firstOf(k.cfg.Host, contact.Address.Host)
	req := gosip.NewRequest(gosip.OPTIONS, k.target)
	from := &gosip.FromHeader{Address: gosip.Uri{Scheme: "sip", Host: contact.Address.Host}}
	from.Params.Add("tag", k.tag)
	callID := gosip.CallIDHeader(k.callID)
	hops := gosip.MaxForwardsHeader(70)
	for _, h := range []gosip.Header{
		&hops, from, &gosip.ToHeader{Address: k.target}, &callID, &gosip.CSeqHeader{SeqNo: k.seq, MethodName: gosip.OPTIONS},
		contact, gosip.NewHeader("Accept", sdpType), gosip.NewHeader("User-Agent", s.cfg.UserAgent),
	} {
		req.AppendHeader(h)
	}
	if _, lr := wire.Param(k.hop.UriParams, "lr"); lr {
		req.AppendHeader(&gosip.RouteHeader{Address: k.hop})
	}
	req.SetBody(nil)
	limit := (giveUp*time.Duration(len(servers)) + 1) * s.cfg.T1
	asking, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	x := &exchange{s: s, req: req, seq: func() uint32 { k.seq++; return k.seq },
		dest: wire.Dest{Host: k.hop.Host}.Towards(first.Transport, first.Addr), next: servers[1:]}
	res, flow, err := x.roundTrip(asking)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, ErrTimeout):
		return PeerState{Text: fmt.Sprintf("no answer from %s within %s", addrsText(addrsOf(servers)), limit.Round(time.Second))}
	case err != nil:
		return PeerState{Text: strings.TrimPrefix(err.Error(), "sip: ")}
	}
	st := PeerState{Status: res.StatusCode, Remote: flow.Remote}
	switch res.StatusCode {
	case 408, 502, 503, 504:
		st.Text = flow.Remote.String() + " answers " + strconv.Itoa(res.StatusCode) + " " + clean(res.Reason)
	default:
		st.Up, st.Text = true, flow.Remote.String()+" answers"
	}
	return st
}

// addrsText lists addresses in a sentence.
func addrsText(addrs []netip.AddrPort) string {
	texts := make([]string, 0, len(addrs))
	for _, a := range addrs {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, ", ")
}

// roundTrip sends the request and waits for its final response.
func (x *exchange) roundTrip(ctx context.Context) (*gosip.Response, wire.Flow, error) {
	type result struct {
		res  *gosip.Response
		flow wire.Flow
		err  error
	}
	final := make(chan result, 1)
	x.on = func(res *gosip.Response, flow wire.Flow, err error) {
		if err == nil && res.StatusCode < 200 {
			return
		}
		select {
		case final <- result{res, flow, err}:
		default:
		}
	}
	if err := x.start(); err != nil {
		return nil, wire.Flow{}, err
	}
	select {
	case got := <-final:
		return got.res, got.flow, got.err
	case <-ctx.Done():
		x.stop()
		return nil, wire.Flow{}, ctx.Err()
	case <-x.s.base.Done():
		return nil, wire.Flow{}, ErrClosed
	}
}

// stop forgets the request: nothing is repeated or told any more.
func (x *exchange) stop() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.canceled = true
	x.waiting.Stop()
	x.tx.Abandon()
}
