package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Identity is how a provider shows callers and wants them shown. With its zero
// value the number goes into From alone, as the call has it.
type Identity struct {
	// Headers tell the caller's number besides From: pai (P-Asserted-Identity), ppi
	// (P-Preferred-Identity), rpid (Remote-Party-ID).
	Headers []string `json:"headers,omitempty"`
	// Form is that of numbers in From and these headers: as they come (empty), e164
	// (+14155550100), plain (14155550100), or national.
	Form string `json:"form,omitempty"`
	// Anonymous is how callers who do not want to be known are shown: privacy (also
	// empty: From hides them, the headers name the account, and Privacy asks for
	// silence about it), or from (From hides them, nothing else).
	Anonymous string `json:"anonymous,omitempty"`
	// Diversion tells the number that forwarded a call.
	Diversion bool `json:"diversion,omitempty"`
	// Believe are the headers of arriving calls that count before From, or from: none
	// of them. Empty: pai, rpid.
	Believe []string `json:"believe,omitempty"`
	// InboundForm is that of the numbers of arriving calls, as Form; plain and
	// national ones become E.164.
	InboundForm string `json:"inbound_form,omitempty"`
}

// identityOf checks how a trunk shows callers.
func (v *validator) identityOf(f string, id Identity) {
	known := []string{"pai", "ppi", "rpid"}
	for i, h := range id.Headers {
		if !slices.Contains(known, h) {
			v.bad(fmt.Sprintf("%s.headers[%d]", f, i), "%q is not pai, ppi or rpid", h)
		}
	}
	for i, h := range id.Believe {
		if !slices.Contains(known, h) && (h != "from" || len(id.Believe) > 1) {
			v.bad(fmt.Sprintf("%s.believe[%d]", f, i), "%q is not pai, ppi or rpid, nor from alone", h)
		}
	}
	forms := []string{"", "e164", "plain", "national"}
	if !slices.Contains(forms, id.Form) {
		v.bad(f+".form", "%q is not e164, plain, national or empty", id.Form)
	}
	if !slices.Contains(forms, id.InboundForm) {
		v.bad(f+".inbound_form", "%q is not e164, plain, national or empty", id.InboundForm)
	}
	if !slices.Contains([]string{"", "privacy", "from"}, id.Anonymous) {
		v.bad(f+".anonymous", "%q is not privacy, from or empty", id.Anonymous)
	}
}

func (v *validator) trunk(f string, t Trunk) {
	v.line(f+".name", t.Name)
	v.carrier(f, t.Carrier)
	v.dialogs(f, t.Dialogs)
	if t.Host != "" || t.InboundUsername == "" && t.ID == "" { // the call APIs know carriers before their gateways
		v.host(f+".host", t.Host)
	} else if len(t.Gateways) == 0 && t.ID == "" && (t.Register || t.KeepAlive != 0 || len(t.Inbound) > 0 || t.Port != 0) {
		v.bad(f+".host", "is empty, so that the far end registers with the box: then register, keep_alive, inbound and port make no sense")
	}
	if t.KeepAlive != 0 {
		v.period(f+".keep_alive", t.KeepAlive, 10*time.Second, time.Hour)
	}
	v.between(f+".port", t.Port, 0, 65535)
	v.protection(f+".srtp", t.SRTP)
	if !slices.Contains([]string{Auto, UDP, TCP, TLS}, t.Transport) {
		v.bad(f+".transport", "%q is not auto, udp, tcp or tls", t.Transport)
	}
	if t.Register && (t.Username == "" || t.Password == "") {
		v.bad(f+".username", "a trunk that registers needs username and password")
	}
	v.period(f+".expires", t.Expires, time.Minute, 24*time.Hour)
	if t.Patience != 0 {
		v.period(f+".patience", t.Patience, time.Second, 32*time.Second)
	}
	if t.Proxy != "" && !strings.HasPrefix(t.Proxy, "sip:") && !strings.HasPrefix(t.Proxy, "sips:") {
		v.bad(f+".proxy", "%q must be a SIP address such as sip:proxy.example:5060;transport=tcp", t.Proxy)
	}
	v.identityOf(f+".identity", t.Identity)
	if t.FromDomain != "" {
		v.host(f+".from_domain", t.FromDomain)
	}
	for i, a := range t.Inbound {
		_, err1 := netip.ParseAddr(a)
		_, err2 := netip.ParsePrefix(a)
		if err1 != nil && err2 != nil {
			v.bad(fmt.Sprintf("%s.inbound[%d]", f, i), "%q is not an address or a range such as 192.0.2.0/24", a)
		}
	}
	v.codecs(f+".codecs", t.Codecs)
	v.between(f+".max_channels", t.MaxChannels, 0, 10_000)
	v.between(f+".max_inbound", t.MaxInbound, 0, 10_000)
	v.between(f+".max_outbound", t.MaxOutbound, 0, 10_000)
}

// proof checks what the far end of a trunk must prove to us.
func (v *validator) proof(s Snapshot, i int) {
	t, f := s.Trunks[i], fmt.Sprintf("trunks[%d]", i)
	if t.InboundUsername == "" && t.InboundPassword == "" {
		return
	}
	if !nameSyntax.MatchString(t.InboundUsername) {
		v.bad(f+".inbound_username", "%q must be 1 to %d letters, digits and . _ -, beginning with a letter or digit", t.InboundUsername, maxName)
	}
	if len(t.InboundPassword) < 8 {
		v.bad(f+".inbound_password", "must have at least 8 characters: guessed passwords are the first thing that toll fraud tries")
	}
	taken := slices.ContainsFunc(s.Users, func(u User) bool { return u.Name == t.InboundUsername }) ||
		slices.ContainsFunc(s.Trunks[:i], func(o Trunk) bool { return o.InboundUsername == t.InboundUsername })
	if taken {
		v.bad(f+".inbound_username", "%q is a user or belongs to another trunk, choose another", t.InboundUsername)
	}
}

// maxGateways is how many gateways a carrier may have.
const maxGateways = 32

// carrier checks what only carriers have.
func (v *validator) carrier(f string, c Carrier) {
	if len(c.Gateways) > maxGateways {
		v.bad(f+".gateways", "%d gateways, at most %d", len(c.Gateways), maxGateways)
	}
	for i, g := range c.Gateways {
		gf := fmt.Sprintf("%s.gateways[%d]", f, i)
		v.host(gf+".host", g.Host)
		v.between(gf+".port", g.Port, 0, 65535)
		v.identity(gf, g.ID, "")
		most := 32
		addr, err := netip.ParseAddr(g.Host)
		if err == nil {
			most = addr.BitLen()
		} else if g.Bits != 0 && g.Bits != 32 {
			v.bad(gf+".bits", "a network needs an address as host, not a name")
		}
		v.between(gf+".bits", g.Bits, 0, most)
		if g.Bits > 0 && g.Bits < 8 {
			v.bad(gf+".bits", "%d bits are more of the network than any provider has", g.Bits)
		}
		if g.Outbound && g.Bits != 0 && g.Bits != most {
			v.bad(gf+".outbound", "calls go to one host, not to a network")
		}
		if g.Transport != "" && !slices.Contains([]string{Auto, UDP, TCP, TLS}, g.Transport) {
			v.bad(gf+".transport", "%q is not auto, udp, tcp or tls", g.Transport)
		}
	}
	if c.Form != "" && c.Form != "e164" && c.Form != "plain" {
		v.bad(f+".form", "%q is neither e164 nor plain", c.Form)
	}
	for _, x := range []struct{ field, host string }{{".realm", c.Realm}, {".tenant", c.Tenant}} {
		if x.host != "" {
			v.host(f+x.field, x.host)
		}
	}
	v.digits(f+".prefix", c.Prefix)
	v.digits(f+".diversion", c.Diversion)
	v.application(f+".application", c.Application)
	v.oneLine(f+".title", c.Title)
	v.oneLine(f+".description", c.Description)
	v.identity(f, c.ID, c.Account)
}

// STUNServer is STUN in parts; port 0 is the usual one. ok is false when it is not
// written as it should be.
func (m Media) STUNServer() (host string, port uint16, ok bool) {
	host, text, err := net.SplitHostPort(m.STUN)
	if err != nil {
		return m.STUN, 0, true
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return host, uint16(n), err == nil && n > 0
}

// stun checks the server that tells our address outside.
func (v *validator) stun(m Media) {
	host, _, ok := m.STUNServer()
	switch {
	case !ok:
		v.bad("media.stun", "%q is not a host or host:port", m.STUN)
	case m.External != "":
		v.bad("media.stun", "media.external is set: the address is either fixed or asked for, remove one of them")
	default:
		v.host("media.stun", host)
	}
}
