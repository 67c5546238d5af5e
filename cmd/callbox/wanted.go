package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"callbox/board"
	"callbox/call"
	"callbox/call/engine"
	"callbox/call/line/fxs"
	"callbox/call/line/trunk"
	"callbox/call/line/user"
	"callbox/call/number"
	"callbox/sip"
	"callbox/sip/sdp"
	"callbox/storage/config"
)

// useConfig makes snap the present configuration: only lines that it changes
// restart. a.mu is held.
func (a *app) useConfig(snap config.Snapshot) error {
	a.snap = snap
	a.accounts.snap.Store(&snap)
	a.inbound.snap.Store(&snap)
	a.vendors.Use(speechVendors(snap.SpeechVendors))
	a.hooks.SetTrust(a.trust(snap.Webhooks))
	a.stack.SetTrust(sip.Trust(a.trust(snap.SIPTLS)))
	a.engine.SetLimits(engineLimits(snap.Limits))
	a.setTolls(snap)
	a.outside.use(snap.Media)
	a.useModems(snap)
	a.lines.set(a.wanted(snap))
	a.stack.Changed(eventDialog, "") // some may be gone
	a.stack.Changed(eventMessages, "")
	err := a.router.set(snap, a.lineIDs(snap), true)
	if err == nil {
		return nil
	}
	// An import refuses this; it comes of another board under an old
	// configuration. Calls that such a route sends to a missing line fail over or
	// say so, all others go on.
	a.log.Warn("the routes do not fit the lines of this board; correct them", "err", err)
	return a.router.set(snap, a.lineIDs(snap), false)
}

// engineLimits are the limits of a configuration as the engine wants them.
func engineLimits(l config.Limits) engine.Limits {
	return engine.Limits{Calls: l.Calls, Ring: l.RingTimeout.Std(), Answered: l.TimeLimit.Std(), Recording: l.RecordingMax.Std()}
}

// lineIDs lists the lines of a configuration on this board.
func (a *app) lineIDs(snap config.Snapshot) []string {
	var out []string
	for _, w := range a.wanted(snap) {
		out = append(out, w.id)
	}
	return out
}

// wanted lists the lines of a configuration on this board and how to make them.
func (a *app) wanted(snap config.Snapshot) []wantedLine {
	out := []wantedLine{{id: sipLine, make: func() (call.Line, error) {
		return trunk.NewURILine(trunk.URIConfig{Silence: silence, Advertise: a.stack.External}, a.stack, a.ports, a.log), nil
	}}}
	for _, t := range snap.Trunks {
		if t.Disabled || t.InboundUsername == "" && !slices.ContainsFunc(gatewaysOf(t), func(g config.Gateway) bool { return !g.Disabled }) {
			continue
		}
		out = append(out, wantedLine{id: t.Name, print: fingerprint(t, snap.Country), make: func() (call.Line, error) {
			cfg, err := trunkConfig(t, snap)
			if err != nil {
				return nil, err
			}
			cfg.Advertise = a.stack.External
			return trunk.New(cfg, a.stack, a.ports, a.log)
		}})
	}
	for _, u := range snap.Users {
		if at, _ := snap.Joined(u); u.List != "" && at == nil {
			continue // no SIP domain lets it register
		}
		if u.Disabled {
			continue
		}
		out = append(out, wantedLine{id: u.Name, print: fingerprint(u.Name, u.Password, u.Codecs, u.SRTP, u.Dialogs), make: func() (call.Line, error) {
			return user.New(user.Config{ID: u.Name, Password: u.Password.Reveal(), Codecs: u.Codecs, Security: protection(u.SRTP), Identity: a.identity, Terms: terms(u.Dialogs), Onward: u.Redirects != "refuse", Silence: silence, Advertise: a.stack.External},
				a.stack, a.ports, a.log)
		}})
	}
	for _, p := range a.board.Ports {
		switch {
		case p.Exchange != nil:
			out = append(out, a.wantedExchange(p, snap))
		case p.GSM == nil:
			out = append(out, a.wantedPort(p, snap))
		case hasModem(p, snap):
			out = append(out, a.wantedModem(p, snap))
		}
	}
	return out
}

// wantedPort is the line of an analogue phone port.
func (a *app) wantedPort(p board.Port, snap config.Snapshot) wantedLine {
	ph := config.Phone{Port: p.Name}
	for _, x := range snap.Phones {
		if x.Port == p.Name {
			ph = x
		}
	}
	return wantedLine{id: p.Name, print: fingerprint(ph, snap.Country, snap.Dialling), make: func() (call.Line, error) {
		cfg, err := phoneConfig(ph, snap)
		if err != nil {
			return nil, err
		}
		cfg.Group, cfg.Log = &a.phones.group, a.log
		cfg.Settings, cfg.Save = a.phones.of(p.Name), func(s fxs.Settings) { a.phones.keep(p.Name, s) }
		cfg.Note = func(at time.Time, text string) { a.trace.Line(at, p.Name, "line", false, text) }
		l, err := fxs.New(cfg, p.Phone, p.PCM)
		if err == nil {
			n, _ := a.mailboxes.of(p.Name)
			l.SetMessages(n.New)
		}
		return l, err
	}}
}

// shownIn writes a caller's number as one would dial it back in a country, without
// a trunk prefix that its displays do not show.
func shownIn(country string) func(string) string {
	return func(raw string) string {
		n, err := number.Parse(raw, country)
		if err != nil || n.Kind != number.E164 {
			return raw
		}
		if s := n.Format(country); !strings.HasPrefix(s, "+") {
			return s
		}
		return n.Local
	}
}

// fingerprint changes whenever the line must be made anew.
func fingerprint(parts ...any) string {
	b, err := json.Marshal(parts)
	if err != nil {
		return fmt.Sprint(parts...)
	}
	return string(b)
}

// protection is how a line protects its sound.
func protection(srtp string) sdp.Security {
	switch srtp {
	case config.SRTPOptional:
		return sdp.Optional
	case config.SRTPMandatory:
		return sdp.Mandatory
	}
	return sdp.Plain
}

// holdMusic is what parties hear that a line of an account holds.
func (a *app) holdMusic(account, line string) string {
	snap := a.config()
	music := ""
	for _, x := range snap.Accounts {
		if x.ID == account {
			music = x.HoldMusic
		}
	}
	for _, t := range snap.Trunks {
		if t.Name == line {
			music = cmp.Or(t.HoldMusic, music)
		}
	}
	for _, u := range snap.Users {
		if u.Name == line {
			music = cmp.Or(u.HoldMusic, music)
		}
	}
	return music
}

// terms are how the calls of a SIP line are kept.
func terms(d config.Dialogs) sip.Terms {
	use := map[string]sip.Use{"off": sip.Off, "require": sip.Always, "required": sip.Always}
	return sip.Terms{Timer: use[d.SessionTimer], Expires: d.SessionExpires.Std(), Reliable: use[d.Reliable]}
}

// trunkConfig is a trunk's configuration as the line wants it.
func trunkConfig(t config.Trunk, snap config.Snapshot) (trunk.Config, error) {
	cfg := trunk.Config{ID: t.Name, Silence: silence, Proxy: t.Proxy, Transport: t.Transport, Username: t.Username,
		Password: t.Password.Reveal(), Register: t.Register, Expires: t.Expires.Std(), FromUser: t.FromUser,
		FromHost: t.FromDomain, InUsername: t.InboundUsername, InPassword: t.InboundPassword.Reveal(), KeepAlive: t.KeepAlive.Std(),
		Channels: t.MaxChannels, In: t.MaxInbound, Out: t.MaxOutbound, Codecs: t.Codecs, Security: protection(t.SRTP), Terms: terms(t.Dialogs), Onward: t.Redirects != "refuse", Patience: t.Patience.Std(),
		Realm: t.Realm, Diversion: t.Diversion, InbandDigits: t.InbandDigits, Transfers: t.Transfers, Identity: identityOf(t.Identity, snap.Country)}
	if t.Tenant != "" {
		cfg.FromHost, cfg.ContactHost, cfg.KeepAlive = cmp.Or(t.FromDomain, t.Tenant), t.Tenant, teamsPing
	}
	hosts := slices.DeleteFunc(gatewaysOf(t), func(g config.Gateway) bool { return g.Disabled })
	slices.SortStableFunc(hosts, func(a, b config.Gateway) int { // those that are called first
		return map[bool]int{true: 0, false: 1}[a.Outbound] - map[bool]int{true: 0, false: 1}[b.Outbound]
	})
	if len(hosts) > 0 {
		cfg.Host, cfg.Transport = hostPort(hosts[0]), hosts[0].Transport
	}
	if cfg.Transport == config.Auto {
		cfg.Transport = ""
	}
	// Where the box registers, calls come from there, whatever else is said.
	cfg.AllowOnly = len(t.Gateways) > 0 && !t.Register
	for _, g := range hosts {
		if !g.Inbound || g.Host == t.Host {
			continue
		}
		addr, err := netip.ParseAddr(g.Host)
		if err != nil && len(t.Gateways) == 0 {
			return cfg, fmt.Errorf("inbound address %q is neither an address nor a prefix", g.Host)
		}
		if err != nil {
			cfg.AllowHosts = append(cfg.AllowHosts, hostPort(g))
			continue
		}
		p, err := addr.Prefix(cmp.Or(g.Bits, addr.BitLen()))
		if err != nil {
			return cfg, fmt.Errorf("gateway %s/%d is no network: %w", g.Host, g.Bits, err)
		}
		cfg.Allow = append(cfg.Allow, p)
	}
	return cfg, nil
}

// identityOf is how a trunk shows callers, as the line wants it.
func identityOf(id config.Identity, country string) trunk.Identity {
	out := trunk.Identity{Country: country, Form: trunk.Form(id.Form), Anonymous: trunk.Anonymity(id.Anonymous),
		Diversion: id.Diversion, Arriving: trunk.Form(id.InboundForm)}
	for _, h := range id.Headers {
		out.Send = append(out.Send, trunk.Header(h))
	}
	for _, h := range id.Believe {
		if h == "from" {
			out.FromOnly = true
		} else {
			out.Believe = append(out.Believe, trunk.Header(h))
		}
	}
	return out
}

// silence is after how long without sound a SIP far end is asked whether it still
// has the call. When the network is gone a call ends half a minute later.
const silence = 30 * time.Second

// teamsPing is how often Microsoft Teams wants to be asked for a sign of life.
const teamsPing = time.Minute
