package jambonz

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"callbox/api"
	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
	"callbox/call"
)

const (
	flag    = shape.Bool | shape.Number // a truth value, which may be written 0 or 1
	noSMPP  = "the box sends no text messages by SMPP"
	ofItsOS = "the box does that by itself"
)

// voipCarriers are the SIP providers.
var voipCarriers = resource[api.Carrier]{
	path: "VoipCarriers", title: "a carrier",
	props: shape.Props{
		"name": {Type: shape.Text, Need: true}, "description": {Type: shape.Text}, "application_sid": {Type: shape.Text},
		"e164_leading_plus": {Type: flag}, "tech_prefix": {Type: shape.Text}, "is_active": {Type: flag}, "diversion": {Type: shape.Text},
		"requires_register": {Type: flag}, "register_username": {Type: shape.Text}, "register_password": {Type: shape.Text},
		"register_sip_realm": {Type: shape.Text}, "register_from_user": {Type: shape.Text}, "register_from_domain": {Type: shape.Text},
		"outbound_sip_proxy":            {Type: shape.Text},
		"dtmf_type":                     {Type: shape.Text, Enum: []string{"rfc2833", "tones", "info"}},
		"register_public_ip_in_contact": {Type: flag, Idle: ofItsOS},
		"register_use_tls":              {Type: flag, Idle: "the protocol of its gateways says how it is reached"},
		"requires_static_ip":            {Type: flag, Idle: ofItsOS},
		"sip_user_agent":                {Type: shape.Text, Idle: "the box says its own name"},
		"trunk_type":                    {Type: shape.Text, Idle: "the carrier's other properties say how it is reached"},
		"inbound_auth_username":         {Type: shape.Text}, "inbound_auth_password": {Type: shape.Text},
		"predefined_carrier_sid":     {Type: shape.Text, Idle: "the box knows no carriers by heart"},
		"smpp_system_id":             {Type: shape.Text, Idle: noSMPP},
		"smpp_password":              {Type: shape.Text, Idle: noSMPP},
		"smpp_inbound_system_id":     {Type: shape.Text, Idle: noSMPP},
		"smpp_inbound_password":      {Type: shape.Text, Idle: noSMPP},
		"smpp_enquire_link_interval": {Type: shape.Number, Idle: noSMPP},
		"register_status":            {Type: shape.Text | shape.Map},
		"voip_carrier_sid":           {Type: shape.Text},
	},
	store: func(s rest) api.Settings[api.Carrier] { return s.h.Carriers },
	id:    func(c api.Carrier) string { return c.ID },
	name:  func(c api.Carrier) string { return c.Name },
	read:  readCarrier,
	show:  rest.carrier,
	full:  api.Carrier{Description: "x", Application: "x", Username: "x", Realm: "x", FromUser: "x", FromHost: "x", Proxy: "x", Prefix: "x", Diversion: "x", InUsername: "x", Created: time.Unix(1, 0)},
	more:  maybe(strict("RegisterStatus", fields(&api.Schema{Type: "string"}, "status"), maybe(&api.Schema{Type: "string"}, "reason")), "register_status"),
}

// readCarrier changes a carrier by the properties of a request.
func readCarrier(s rest, q request, o shape.Object, c *api.Carrier, fresh bool) error {
	if fresh {
		c.ID = s.NewID(api.CarrierID)
	}
	for name, to := range map[string]*string{
		"name": &c.Name, "description": &c.Description, "tech_prefix": &c.Prefix, "diversion": &c.Diversion, "register_username": &c.Username,
		"register_password": &c.Password, "register_from_user": &c.FromUser,
		"inbound_auth_username": &c.InUsername, "inbound_auth_password": &c.InPassword,
	} {
		if err := setText(o, name, to, maxTitle); err != nil {
			return err
		}
	}
	for name, to := range map[string]*string{"register_sip_realm": &c.Realm, "register_from_domain": &c.FromHost} {
		if o.Emptied(name) {
			*to = ""
		}
		if host, err := o.Host(name); err != nil {
			return err
		} else if o.Has(name) {
			*to = host
		}
	}
	if proxy, err := o.SIPAddress("outbound_sip_proxy"); err != nil {
		return err
	} else if o.Has("outbound_sip_proxy") || o.Emptied("outbound_sip_proxy") {
		c.Proxy = proxy
	}
	for name, to := range map[string]*bool{"e164_leading_plus": &c.Plus, "requires_register": &c.Register} {
		if o.Has(name) {
			*to = truth(o, name)
		}
	}
	if o.Has("is_active") {
		c.Disabled = !truth(o, "is_active")
	}
	switch o.Text("dtmf_type") {
	case "info":
		return o.Unable("dtmf_type", "is info: the box sends keys as telephone events (rfc2833) or tones")
	case "rfc2833":
		c.Tones = false
	case "tones":
		c.Tones = true
	}
	if err := s.setApplication(q, o, "application_sid", &c.Application); err != nil {
		return err
	}
	if c.Name == "" {
		return o.Refuse("name", "is empty")
	}
	if fresh && (c.InUsername == "") != (c.InPassword == "") {
		return o.Refuse("inbound_auth_username", "needs inbound_auth_password, and the other way round")
	}
	if c.Register && (c.Username == "" || fresh && c.Password == "") {
		return o.Refuse("requires_register", "needs register_username and register_password")
	}
	return nil
}

// carrier is a carrier as the API shows it; its password is not told.
func (s rest) carrier(c api.Carrier) js.Object {
	var o js.Object
	o.Text("voip_carrier_sid", c.ID)
	o.Text("name", c.Name)
	textOrNull(&o, "description", c.Description)
	o.Text("account_sid", s.sid(c.Account))
	o.Text("service_provider_sid", serviceProvider)
	textOrNull(&o, "application_sid", c.Application)
	o.Bool("e164_leading_plus", c.Plus)
	o.Bool("requires_register", c.Register)
	textOrNull(&o, "register_username", c.Username)
	textOrNull(&o, "register_sip_realm", c.Realm)
	textOrNull(&o, "register_from_user", c.FromUser)
	textOrNull(&o, "register_from_domain", c.FromHost)
	textOrNull(&o, "outbound_sip_proxy", c.Proxy)
	textOrNull(&o, "inbound_auth_username", c.InUsername)
	textOrNull(&o, "tech_prefix", c.Prefix)
	textOrNull(&o, "diversion", c.Diversion)
	o.Text("dtmf_type", map[bool]string{true: "tones", false: "rfc2833"}[c.Tones])
	o.Bool("is_active", !c.Disabled)
	if s.h.LineStates != nil && c.Register && !c.Disabled {
		state, _ := s.h.LineStates.LineState(c.Line)
		var r js.Object
		r.Text("status", map[bool]string{true: "ok", false: "fail"}[state.Ready])
		r.Some("reason", state.Text)
		o.Object("register_status", r)
	}
	madeAt(&o, "created_at", c.Created)
	return o
}

// carrierOf is the sid of the carrier whose line this is, empty when there is none.
func (s rest) carrierOf(account, line string) string {
	if line == "" || s.h.Carriers == nil {
		return ""
	}
	for _, c := range s.h.Carriers.List(account) {
		if c.Line == line {
			return c.ID
		}
	}
	return ""
}

// gateway is a gateway with its carrier.
type gateway struct {
	api.Gateway
	carrier string // api.Carrier.ID
}

// gateways keeps those of carriers.
type gateways struct{ carriers api.Settings[api.Carrier] }

var _ api.Settings[gateway] = gateways{}

// List gives those of all carriers of the account.
func (k gateways) List(account string) []gateway {
	var out []gateway
	for _, c := range k.carriers.List(account) {
		for _, g := range c.Gateways {
			out = append(out, gateway{g, c.ID})
		}
	}
	return out
}

// Create adds one to its carrier.
func (k gateways) Create(ctx context.Context, account string, x gateway) (gateway, error) {
	_, err := k.carriers.Change(ctx, account, x.carrier, func(c *api.Carrier) error {
		c.Gateways = append(slices.Clone(c.Gateways), x.Gateway)
		return nil
	})
	return x, err
}

// Change edits one.
func (k gateways) Change(ctx context.Context, account, id string, change func(*gateway) error) (gateway, error) {
	x, err := k.find(account, id)
	if err != nil {
		return x, err
	}
	_, err = k.carriers.Change(ctx, account, x.carrier, func(c *api.Carrier) error {
		c.Gateways = slices.Clone(c.Gateways)
		i := slices.IndexFunc(c.Gateways, func(g api.Gateway) bool { return g.ID == id })
		if i < 0 {
			return call.ErrNotFound
		}
		x = gateway{c.Gateways[i], c.ID}
		if err := change(&x); err != nil {
			return err
		}
		c.Gateways[i] = x.Gateway
		return nil
	})
	return x, err
}

// Delete takes one from its carrier.
func (k gateways) Delete(ctx context.Context, account, id string) error {
	x, err := k.find(account, id)
	if err != nil {
		return err
	}
	_, err = k.carriers.Change(ctx, account, x.carrier, func(c *api.Carrier) error {
		c.Gateways = slices.DeleteFunc(slices.Clone(c.Gateways), func(g api.Gateway) bool { return g.ID == id })
		return nil
	})
	return err
}

func (k gateways) find(account, id string) (gateway, error) {
	for _, x := range k.List(account) {
		if x.ID == id {
			return x, nil
		}
	}
	return gateway{}, call.ErrNotFound
}

// sipGateways are the hosts of carriers.
var sipGateways = resource[gateway]{
	path: "SipGateways", title: "a SIP gateway",
	props: shape.Props{
		"voip_carrier_sid": {Type: shape.Text, Need: true}, "ipv4": {Type: shape.Text, Need: true}, "port": {Type: shape.Number}, "netmask": {Type: shape.Number},
		"inbound": {Type: flag}, "outbound": {Type: flag}, "is_active": {Type: flag},
		"protocol":          {Type: shape.Text, Enum: []string{"udp", "tcp", "tls", "tls/srtp"}, Fold: true},
		"send_options_ping": {Type: flag},
		"use_sips_scheme":   {Type: flag, Unable: "the box reaches gateways by sip addresses, over TLS where the protocol says so"},
		"pad_crypto":        {Type: flag, Idle: ofItsOS},
		"remove_ice":        {Type: flag, Idle: ofItsOS},
		"sip_gateway_sid":   {Type: shape.Text},
		"lcr_sid":           {Type: shape.Text, Idle: "routes are set up in the box's configuration"},
		"dtmf_type":         {Type: shape.Text, Idle: "it is the carrier's"},
	},
	filter: []string{"voip_carrier_sid"},
	needs:  "voip_carrier_sid",
	store: func(s rest) api.Settings[gateway] {
		if s.h.Carriers == nil {
			return nil
		}
		return gateways{s.h.Carriers}
	},
	id:   func(g gateway) string { return g.ID },
	name: func(g gateway) string { return g.Host },
	fits: func(q request, g gateway) bool { return q.URL.Query().Get("voip_carrier_sid") == g.carrier },
	read: readGateway,
	show: rest.gateway,
	full: gateway{Gateway: api.Gateway{Port: 1}},
}

// readGateway changes a gateway by the properties of a request.
func readGateway(s rest, q request, o shape.Object, g *gateway, fresh bool) error {
	sid := o.Text("voip_carrier_sid")
	switch {
	case fresh:
		if !slices.ContainsFunc(s.h.Carriers.List(q.Account.ID), func(c api.Carrier) bool { return c.ID == sid }) {
			return o.Refuse("voip_carrier_sid", "is %q, and this account has no such carrier", clipped(sid))
		}
		g.ID, g.carrier, g.Transport = s.NewID(api.GatewayID), sid, "udp"
	case sid != "" && sid != g.carrier:
		return o.Refuse("voip_carrier_sid", "cannot be changed: delete the gateway and make another")
	}
	if o.Has("ipv4") {
		host := strings.TrimSpace(o.Text("ipv4"))
		if _, err := netip.ParseAddr(host); err != nil && (!strings.Contains(host, ".") && host != "localhost" || strings.Contains(host, ":")) {
			return o.Refuse("ipv4", "is %q, which is not the address or name of a host", clipped(host))
		}
		g.Host = host
	}
	port, ok, err := o.Whole("port", 0, 65535)
	if err != nil {
		return err
	}
	if ok {
		g.Port = port
	}
	bits, ok, err := o.Whole("netmask", 8, 32)
	if err != nil {
		return err
	}
	if ok {
		if g.Bits = bits; bits == 32 { // the host alone, which may be a name
			g.Bits = 0
		}
	}
	for name, to := range map[string]*bool{"inbound": &g.Inbound, "outbound": &g.Outbound, "send_options_ping": &g.Ping} {
		if o.Has(name) {
			*to = truth(o, name)
		}
	}
	if o.Has("is_active") {
		g.Disabled = !truth(o, "is_active")
	}
	if o.Has("protocol") {
		g.Transport = strings.ToLower(o.Text("protocol"))
		if plain, srtp := strings.CutSuffix(g.Transport, "/srtp"); srtp {
			g.Transport, g.SRTP = plain, true
		} else {
			g.SRTP = false
		}
	}
	return nil
}

// gateway is a gateway as the API shows it.
func (s rest) gateway(g gateway) js.Object {
	var o js.Object
	o.Text("sip_gateway_sid", g.ID)
	o.Text("voip_carrier_sid", g.carrier)
	o.Text("ipv4", g.Host)
	if g.Port == 0 {
		o.Add("port", js.Value{})
	} else {
		o.Number("port", float64(g.Port))
	}
	bits := g.Bits
	if bits == 0 {
		bits = 32
	}
	o.Number("netmask", float64(bits))
	o.Bool("inbound", g.Inbound)
	o.Bool("outbound", g.Outbound)
	o.Bool("is_active", !g.Disabled)
	protocol := g.Transport
	if g.SRTP {
		protocol += "/srtp"
	}
	o.Text("protocol", protocol)
	o.Bool("send_options_ping", g.Ping)
	return o
}

// teamsTenants are the trunks to Microsoft Teams, one for each tenant.
var teamsTenants = resource[api.Carrier]{
	path: "MicrosoftTeamsTenants", title: "a Microsoft Teams tenant",
	props: shape.Props{
		"tenant_fqdn": {Type: shape.Text, Need: true}, "application_sid": {Type: shape.Text}, "host": {Type: shape.Text}, "port": {Type: shape.Number},
	},
	store: func(s rest) api.Settings[api.Carrier] {
		if s.h.Carriers == nil {
			return nil
		}
		return tenants{s.h.Carriers}
	},
	id:   func(c api.Carrier) string { return c.ID },
	name: func(c api.Carrier) string { return c.Tenant },
	read: readTenant,
	full: api.Carrier{Application: "x"},
	more: append(maybe(&api.Schema{Type: "boolean"}, "ready"), maybe(&api.Schema{Type: "string"}, "state")...),
	show: func(s rest, c api.Carrier) js.Object {
		var o js.Object
		o.Text("ms_teams_tenant_sid", c.ID)
		o.Text("tenant_fqdn", c.Tenant)
		o.Text("account_sid", s.sid(c.Account))
		o.Text("service_provider_sid", serviceProvider)
		textOrNull(&o, "application_sid", c.Application)
		if s.h.LineStates != nil {
			state, _ := s.h.LineStates.LineState(c.Line)
			o.Bool("ready", state.Ready)
			o.Some("state", state.Text)
		}
		return o
	},
}

// tenants are the carriers that are trunks to Microsoft Teams.
type tenants struct{ api.Settings[api.Carrier] }

// List gives those of the account.
func (k tenants) List(account string) []api.Carrier {
	return slices.DeleteFunc(k.Settings.List(account), func(c api.Carrier) bool { return c.Tenant == "" })
}

// teamsHosts are where Microsoft Teams takes calls, the nearest first.
var teamsHosts = []string{"sip.pstnhub.microsoft.com", "sip2.pstnhub.microsoft.com", "sip3.pstnhub.microsoft.com"}

const teamsPort = 5061

// readTenant changes a trunk to Microsoft Teams by the properties of a request. A
// host stands for Microsoft's own, for a border controller between.
func readTenant(s rest, q request, o shape.Object, c *api.Carrier, fresh bool) error {
	tenant, err := o.Host("tenant_fqdn")
	if err != nil || o.Has("tenant_fqdn") && !strings.Contains(tenant, ".") {
		return o.Refuse("tenant_fqdn", "is %q, which is not a full host name", clipped(o.Text("tenant_fqdn")))
	}
	if fresh {
		c.ID, c.Name = s.NewID(api.CarrierID), "teams-"+tenant
	}
	if tenant != "" {
		c.Tenant = tenant
	}
	if err := s.setApplication(q, o, "application_sid", &c.Application); err != nil {
		return err
	}
	if !fresh && !o.Has("host") && !o.Has("port") {
		return nil
	}
	hosts := teamsHosts
	if o.Has("host") {
		host, err := o.Host("host")
		if err != nil {
			return err
		}
		hosts = []string{host}
	}
	port, ok, err := o.Whole("port", 1, 65535)
	if err != nil {
		return err
	}
	if !ok {
		port = teamsPort
	}
	c.Plus, c.Gateways = true, nil
	for _, h := range hosts {
		c.Gateways = append(c.Gateways, api.Gateway{ID: s.NewID(api.GatewayID), Host: h, Port: port, Transport: "tls", SRTP: true, Inbound: true, Outbound: true})
	}
	return nil
}
