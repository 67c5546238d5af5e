package main

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"callbox/api"
	"callbox/call"
	"callbox/call/number"
	"callbox/call/route"
	"callbox/storage/config"
)

// gatewaysOf are the hosts of a trunk: its own, unless it has gateways.
func gatewaysOf(t config.Trunk) []config.Gateway {
	var out []config.Gateway
	if t.Host != "" {
		own := config.Gateway{Host: t.Host, Port: t.Port, Inbound: true, Outbound: true}
		out = append(out, own)
		for _, in := range t.Inbound {
			g := config.Gateway{Host: in, Inbound: true}
			if p, err := netip.ParsePrefix(in); err == nil {
				g.Host, g.Bits = p.Addr().String(), p.Bits()
			}
			out = append(out, g)
		}
	}
	out = append(out, t.Gateways...)
	for i := range out {
		g := &out[i]
		g.Transport = cmp.Or(g.Transport, t.Transport)
		g.ID = cmp.Or(g.ID, api.DerivedID("", "gateway "+t.Name+" "+g.Host+" "+strconv.Itoa(g.Port)))
	}
	return out
}

// ways are the gateways that calls go to.
func ways(t config.Trunk) []config.Gateway {
	return slices.DeleteFunc(gatewaysOf(t), func(g config.Gateway) bool { return g.Disabled || !g.Outbound })
}

// callsOut reports whether calls can go out by a trunk.
func callsOut(t config.Trunk) bool {
	return len(ways(t)) > 0 || t.Host == "" && t.InboundUsername != "" // it registers with the box
}

// hostPort is a gateway's address in a URI.
func hostPort(g config.Gateway) string {
	switch {
	case g.Port != 0:
		return net.JoinHostPort(g.Host, strconv.Itoa(g.Port))
	case strings.Contains(g.Host, ":"):
		return "[" + g.Host + "]" // IPv6 in a URI (RFC 3986 §3.2.2)
	}
	return g.Host
}

// throughGateways writes the numbers of the attempts as their trunks want them, and
// makes one attempt of each gateway where a trunk has several.
func throughGateways(snap *config.Snapshot, attempts []route.Attempt) []route.Attempt {
	var out []route.Attempt
	for _, a := range attempts {
		i := slices.IndexFunc(snap.Trunks, func(t config.Trunk) bool { return t.Name == a.Line })
		if i < 0 || strings.Contains(a.To, ":") {
			out = append(out, a)
			continue
		}
		t := snap.Trunks[i]
		if n, err := number.Parse(a.To, snap.Country); err == nil && n.E164 != "" && t.Form != "" {
			if a.To = n.E164; t.Form == "plain" {
				a.To = strings.TrimPrefix(n.E164, "+")
			}
		}
		a.To = t.Prefix + a.To
		gateways := ways(t)
		if len(gateways) < 2 {
			out = append(out, a)
			continue
		}
		for _, g := range gateways {
			transport := g.Transport
			if transport == config.Auto {
				transport = config.UDP
			}
			out = append(out, route.Attempt{Line: a.Line, To: "sip:" + strings.ReplaceAll(a.To, "#", "%23") + "@" + hostPort(g) + ";transport=" + transport})
		}
	}
	return out
}

// lineOfNumber is the line that a number of the box belongs to, empty when none.
func lineOfNumber(snap *config.Snapshot, shown string) string {
	for _, n := range snap.Numbers {
		if n.Line != "" && n.Number != "*" && shown != "" && fits(n.Number, shown, snap.Country) {
			return n.Line
		}
	}
	return ""
}

// lineNamed gives the trunk that a request names: by its name, its title, one of its
// ids, or as that of a tenant of Microsoft Teams. An id follows from the name, so
// that it survives an export and import of the configuration.
func lineNamed(snap *config.Snapshot, name string) (string, bool) {
	tenant, teams := strings.CutPrefix(name, call.TeamsLine)
	for _, t := range snap.Trunks {
		switch {
		case name == "":
		case teams && t.Tenant != "" && (tenant == "" || strings.EqualFold(tenant, t.Tenant)),
			slices.Contains([]string{t.Name, carrierID(t), api.TrunkID("BY", t.Name), api.TrunkID("TK", t.Name)}, name),
			t.Title != "" && strings.EqualFold(t.Title, name):
			return t.Name, true
		}
	}
	return "", false
}

// carrierID is the id of a trunk for the call APIs.
func carrierID(t config.Trunk) string { return cmp.Or(t.ID, api.TrunkID("", t.Name)) }

// carrierSettings are the trunks as carriers. Passwords are not told.
func carrierSettings(a *app) api.Settings[api.Carrier] {
	return settings[api.Carrier, config.Trunk]{
		app:  a,
		list: func(s *config.Snapshot, _ string) *[]config.Trunk { return &s.Trunks },
		show: func(s *config.Snapshot, account string, t config.Trunk) (api.Carrier, bool) {
			return carrier(t, account), cmp.Or(t.Account, firstOf(s)) == account
		},
		keep: keepCarrier,
		id:   func(x api.Carrier) string { return x.ID },
		free: func(s *config.Snapshot, x api.Carrier) error {
			for _, name := range lineNames(s) {
				if strings.EqualFold(name, lineName(x.Name)) {
					return api.ErrTaken
				}
			}
			return nil
		},
		usedBy: func(s *config.Snapshot, t config.Trunk) string { return lineUser(s, t.Name) },
	}
}

// lineName makes the id of a line of a carrier's name.
func lineName(name string) string {
	id := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("_.-", r) {
			return r
		}
		return '-'
	}, strings.TrimSpace(name))
	id = strings.TrimLeft(id, "_.-")
	return cmp.Or(id[:min(len(id), 64)], "carrier")
}

// carrier is a trunk as the call APIs see it.
func carrier(t config.Trunk, account string) api.Carrier {
	x := api.Carrier{
		ID: carrierID(t), Account: account, Name: cmp.Or(t.Title, t.Name), Line: t.Name, Description: t.Description, Application: t.Application,
		Disabled: t.Disabled, Plus: t.Form == "e164", Prefix: t.Prefix, Register: t.Register, Username: t.Username, Realm: t.Realm,
		FromUser: t.FromUser, FromHost: t.FromDomain, Proxy: t.Proxy, Diversion: t.Diversion, Tones: t.InbandDigits, Tenant: t.Tenant,
		InUsername: t.InboundUsername,
		Created:    t.Created, Updated: t.Updated,
	}
	for _, g := range gatewaysOf(t) {
		x.Gateways = append(x.Gateways, shownGateway(g))
		last := &x.Gateways[len(x.Gateways)-1]
		last.SRTP, last.Ping = t.SRTP == config.SRTPMandatory, t.KeepAlive > 0
	}
	return x
}

// shownGateway is a gateway without what the configuration alone has.
func shownGateway(g config.Gateway) api.Gateway {
	return api.Gateway{ID: g.ID, Host: g.Host, Port: g.Port, Bits: g.Bits, Transport: g.Transport, Inbound: g.Inbound, Outbound: g.Outbound, Disabled: g.Disabled}
}

// carrierPing is how often a carrier is asked whether it is there.
const carrierPing = time.Minute

// keepCarrier changes a trunk to what a call API says of it. Its hosts are kept as
// gateways from then on.
func keepCarrier(account string, x api.Carrier, was config.Trunk, fresh bool, now time.Time) config.Trunk {
	t := was // its codecs and the like stay
	if fresh {
		t.Name, t.Numbers = lineName(x.Name), true
	}
	t.ID, t.Account, t.Title, t.Description, t.Application, t.Disabled = x.ID, account, x.Name, x.Description, x.Application, x.Disabled
	if x.Plus {
		t.Form = "e164"
	} else if t.Form == "e164" || fresh {
		t.Form = "plain"
	}
	t.Prefix, t.Register, t.Username, t.Realm = x.Prefix, x.Register, x.Username, x.Realm
	if x.Password != "" {
		t.Password = config.Secret(x.Password)
	}
	if x.Username == "" {
		t.Password = ""
	}
	if t.InboundUsername = x.InUsername; x.InPassword != "" {
		t.InboundPassword = config.Secret(x.InPassword)
	}
	if x.InUsername == "" {
		t.InboundPassword = ""
	}
	t.FromUser, t.FromDomain, t.Proxy, t.Diversion, t.InbandDigits, t.Tenant = x.FromUser, x.FromHost, x.Proxy, x.Diversion, x.Tones, x.Tenant
	if t.Tenant != "" { // Teams takes nothing else
		t.Transport, t.SRTP = config.TLS, config.SRTPMandatory
	}
	t.Host, t.Port, t.Inbound, t.Gateways = "", 0, nil, nil
	if len(x.Gateways) > 0 {
		protect := slices.ContainsFunc(x.Gateways, func(g api.Gateway) bool { return g.SRTP })
		if protect {
			t.SRTP = config.SRTPMandatory
		} else if t.SRTP == config.SRTPMandatory {
			t.SRTP = ""
		}
		pinged := slices.ContainsFunc(x.Gateways, func(g api.Gateway) bool { return g.Ping })
		if !pinged {
			t.KeepAlive = 0
		} else if t.KeepAlive == 0 {
			t.KeepAlive = config.Duration(carrierPing)
		}
	}
	for _, g := range x.Gateways {
		t.Gateways = append(t.Gateways, config.Gateway{ID: g.ID, Host: g.Host, Port: g.Port, Bits: g.Bits, Transport: g.Transport,
			Inbound: g.Inbound, Outbound: g.Outbound, Disabled: g.Disabled})
	}
	t.Created, t.Updated = created(was.Created, now, fresh), now
	return t
}

// lineStates tells the call APIs how lines are.
type lineStates struct{ a *app }

var _ api.LineStates = lineStates{}

// LineState asks the line.
func (s lineStates) LineState(id string) (call.LineStatus, bool) {
	l, ok := s.a.lines.Line(id)
	if !ok {
		return call.LineStatus{}, false
	}
	return statusOf(l).Status, true
}

// Registrations asks the registrar.
func (s lineStates) Registrations(user string) []api.Registration {
	var out []api.Registration
	for _, b := range s.a.stack.Bindings(user) {
		out = append(out, api.Registration{Contact: b.Contact, Source: b.Source.String(), Transport: b.Transport, UserAgent: b.UserAgent, Expires: b.Expires})
	}
	return out
}
