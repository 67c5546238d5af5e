package trunk

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"callbox/call"
	"callbox/call/line/sipleg"
	"callbox/sip"
)

// patience is how long far ends may say nothing: the INVITE has been sent five times
// then (RFC 3261 §17.1.1.2).
const patience = 8 * time.Second

// Dial implements call.Line: digits are dialled at the trunk's host, a whole
// "sip:" URI through its proxy or directly.
func (l *Line) Dial(ctx context.Context, d call.Dial) (call.Leg, error) {
	headers, err := sipleg.Headers(d)
	if err != nil {
		return nil, err
	}
	if d.To == "" {
		return nil, noNumber(l.cfg.ID)
	}
	gateway := strings.Contains(d.To, ";transport=") // one of several, which says how it is reached
	if err := l.usable(); err != nil && !gateway {
		return nil, err
	}
	auth := l.cfg.credentials()
	if d.Auth != nil {
		auth = d.Auth
	}
	inv := sip.Invite{
		Target: l.cfg.target(d.To), Route: l.cfg.Proxy, From: sipleg.Caller(d.From), FromName: d.FromName,
		FromHost: l.cfg.FromHost, Auth: sipleg.Credentials(auth), Headers: headers, Transport: l.cfg.Transport,
	}
	if gateway {
		inv.Transport = ""
	}
	if d.URIParams != "" {
		inv.Target += ";" + d.URIParams
	}
	inv.ContactHost, inv.Patience = l.cfg.ContactHost, cmp.Or(l.cfg.Patience, patience)
	inv.To = d.ToURI
	if d.Proxy != "" {
		inv.Route = d.Proxy
	}
	if d.FromHost != "" {
		inv.FromHost = d.FromHost
	}
	if inv.FromHost == "" && l.cfg.Register {
		inv.FromHost = l.cfg.domain()
	}
	if l.cfg.Username != "" {
		inv.ContactUser = sipleg.EscapeUser(l.cfg.Username)
	}
	l.identify(&inv, d)
	l.divert(&inv)
	if l.cfg.Host == "" && d.Proxy == "" {
		return l.dialRegistered(ctx, inv, d)
	}
	return dial(ctx, l.stack, l.legs, inv, d)
}

// divert claims that the call was diverted from the trunk's own number, unless it
// tells another.
func (l *Line) divert(inv *sip.Invite) {
	if l.cfg.Diversion == "" || slices.ContainsFunc(inv.Headers, func(h sip.Header) bool { return strings.EqualFold(h.Name, "Diversion") }) {
		return
	}
	host := cmp.Or(inv.FromHost, l.cfg.domain())
	inv.Headers = append(inv.Headers, sip.Header{Name: "Diversion", Value: "<sip:" + sipleg.EscapeUser(l.cfg.Diversion) + "@" + host + ">;reason=unconditional"})
}

// dial places one INVITE.
func dial(ctx context.Context, stack *sip.Stack, legs *sipleg.Group, inv sip.Invite, d call.Dial) (call.Leg, error) {
	hop := inv.Target
	if inv.Route != "" {
		hop = inv.Route
	}
	_, addrs, err := stack.Resolve(ctx, hop)
	if err != nil {
		return nil, call.Cause{
			Q850: call.Q850NoRoute, SIP: 503, Who: call.Box, Text: legs.Config().Title + " cannot be called: " + strings.TrimPrefix(err.Error(), "sip: "),
		}
	}
	local := stack.LocalFor(addrs[0].Addr().String())
	if !local.IsValid() {
		return nil, call.Cause{
			Q850: call.Q850NetworkOutOfOrder, SIP: 503, Who: call.Network,
			Text: fmt.Sprintf("there is no way to %s: the network is down", addrs[0].Addr()),
		}
	}
	return place(ctx, stack, legs, sipleg.Invite{Invite: inv, Local: local, Remote: addrs[0].Addr()}, d)
}

// place makes the leg of one INVITE.
func place(ctx context.Context, stack *sip.Stack, legs *sipleg.Group, inv sipleg.Invite, d call.Dial) (call.Leg, error) {
	leg, err := legs.Dial(ctx, stack, sipleg.Outgoing{
		Invites: []sipleg.Invite{inv}, Codecs: d.Codecs, Pass: d.Pass, To: d.To, From: d.From, FromName: d.FromName,
	})
	if err != nil {
		return nil, err
	}
	return leg, nil
}

func noNumber(line string) call.Cause {
	return call.Cause{Q850: call.Q850InvalidNumber, SIP: 484, Who: call.Box, Text: "no number was given to dial on " + line}
}

// arrived is an INVITE from the trunk.
func (l *Line) arrived(d *sip.Dialog, in call.Receiver) {
	di := d.Info()
	info := call.LegInfo{
		To: sipleg.UserOf(di.RequestURI), Forwarded: l.cfg.Identity.read(sipleg.UserOf(sipleg.Header(di.Headers, "Diversion"))),
		Headers: sipleg.Extensions(di.Headers),
	}
	// A provider that we registered with calls our contact; the number that was
	// dialled is then in To.
	if info.To == "" || info.To == l.cfg.Username {
		if u := sipleg.UserOf(di.ToURI); u != "" {
			info.To = u
		}
	}
	info.To = l.cfg.Identity.read(info.To)
	info.From, info.FromName, info.Private = l.cfg.Identity.caller(di)
	info.Asserted = l.cfg.Identity.vouched(di)
	leg, err := l.legs.Incoming(d, info)
	if err != nil {
		return // it was refused and logged
	}
	in.Incoming(leg)
}
