package trunk

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"callbox/call"
	"callbox/call/line/sipleg"
	"callbox/call/number"
	"callbox/sip"
)

// anonymous is the caller who does not want to be known (RFC 3323 §4.1.1.3).
const anonymous = "anonymous"

// Header is a way to tell the caller's number besides From.
type Header string

const (
	Asserted    Header = "pai"  // P-Asserted-Identity (RFC 3325)
	Preferred   Header = "ppi"  // P-Preferred-Identity (RFC 3325)
	RemoteParty Header = "rpid" // Remote-Party-ID (draft-ietf-sip-privacy-04)
)

// name is the header's name in a message; empty when there is no such header.
func (h Header) name() string {
	switch h {
	case Asserted:
		return "P-Asserted-Identity"
	case Preferred:
		return "P-Preferred-Identity"
	case RemoteParty:
		return "Remote-Party-ID"
	}
	return ""
}

// Form is how a provider writes numbers.
type Form string

const (
	AsIs     Form = ""         // as they come
	E164     Form = "e164"     // +14155550100
	Plain    Form = "plain"    // 14155550100
	National Form = "national" // as one dials in the country
)

// Anonymity is how a caller who does not want to be known is shown.
type Anonymity string

const (
	// ByPrivacy hides the caller in From, asks for privacy (RFC 3323), and tells the
	// provider in the headers of Send whose account it is.
	ByPrivacy Anonymity = "privacy"
	// ByFrom only hides the user part of From.
	ByFrom Anonymity = "from"
)

// Identity is how a provider shows callers and wants them shown. The zero value
// writes From only, in the form that the call has, and believes P-Asserted-Identity
// and Remote-Party-ID of arriving calls.
type Identity struct {
	// Country is the ISO 3166-1 code by which National is understood.
	Country string
	// Send are the headers that tell the caller's number, besides From.
	Send []Header
	// Form is that of numbers in From, in the headers of Send and in Diversion.
	Form Form
	// Anonymous is how unknown callers are shown; empty: ByPrivacy.
	Anonymous Anonymity
	// Diversion tells the number that forwarded a call (RFC 5806).
	Diversion bool
	// Believe are the headers of arriving calls that are better than From, the best
	// first; empty: Asserted and RemoteParty. FromOnly believes none.
	Believe  []Header
	FromOnly bool
	// Arriving is the form of the numbers of arriving calls, which become E.164 by
	// it; E164 leaves them as they are.
	Arriving Form
}

func (id Identity) validate() error {
	for _, h := range slices.Concat(id.Send, id.Believe) {
		if h.name() == "" {
			return fmt.Errorf("identity header %q is not pai, ppi or rpid", h)
		}
	}
	for _, f := range [...]Form{id.Form, id.Arriving} {
		if !slices.Contains([]Form{AsIs, E164, Plain, National}, f) {
			return fmt.Errorf("number form %q is not e164, plain or national", f)
		}
	}
	if id.Anonymous != "" && id.Anonymous != ByPrivacy && id.Anonymous != ByFrom {
		return fmt.Errorf("anonymous %q is not privacy or from", id.Anonymous)
	}
	return nil
}

// write gives a number the form that the provider wants; what is none stays.
func (id Identity) write(s string) string {
	n, err := number.Parse(s, id.Country)
	if err != nil || id.Form == AsIs || n.Kind != number.E164 {
		return s
	}
	switch id.Form {
	case Plain:
		return strings.TrimPrefix(n.E164, "+")
	case National:
		return n.Local
	}
	return n.E164
}

// read makes a number of an arriving call E.164.
func (id Identity) read(s string) string {
	raw := s
	switch {
	case id.Arriving == Plain && !strings.HasPrefix(s, "+"):
		raw = "+" + s
	case id.Arriving != National:
		return s
	}
	if n, err := number.Parse(raw, id.Country); err == nil && n.Kind == number.E164 {
		return n.E164
	}
	return s // a short number or a name
}

// identify shows the caller in the way that the provider wants it.
func (l *Line) identify(inv *sip.Invite, d call.Dial) {
	id := l.cfg.Identity
	host := l.cfg.FromHost
	if host == "" {
		host = l.cfg.domain()
	}
	if host == "" {
		host = "anonymous.invalid" // of a far end that registers: it has no domain
	}
	caller := d.From
	if u := sipleg.UserOf(caller); u != "" {
		caller = u
	}
	hidden := strings.EqualFold(caller, anonymous)
	asserted := id.write(caller)
	switch {
	case hidden:
		asserted = l.cfg.FromUser
		if asserted == "" {
			asserted = l.cfg.Username
		}
		inv.From, inv.FromName = anonymous, "Anonymous"
		if id.Anonymous != ByFrom {
			inv.FromHost = "anonymous.invalid"
			inv.Headers = append(inv.Headers, sip.Header{Name: "Privacy", Value: "id"})
		}
	case l.cfg.FromUser != "":
		inv.From = sipleg.EscapeUser(l.cfg.FromUser)
	default:
		inv.From = sipleg.Caller(asserted)
	}
	send := id.Send
	if len(send) == 0 && l.cfg.FromUser != "" {
		send = []Header{Asserted}
	}
	if asserted == "" || hidden && id.Anonymous == ByFrom {
		send = nil
	}
	vouched := asserted
	if d.Asserted != "" && slices.Contains(send, Asserted) {
		vouched = id.write(d.Asserted)
		if d.Private && !hidden {
			inv.Headers = append(inv.Headers, sip.Header{Name: "Privacy", Value: "id"})
		}
	}
	address := func(user string) string { return "<sip:" + sipleg.EscapeUser(user) + "@" + host + ">" }
	add := func(name, value string) {
		if sipleg.Header(inv.Headers, name) == "" { // what the call itself brings comes first
			inv.Headers = append(inv.Headers, sip.Header{Name: name, Value: value})
		}
	}
	for _, h := range send {
		value := address(asserted)
		switch h {
		case Asserted:
			value = address(vouched)
		case RemoteParty:
			value += ";party=calling;screen=yes;privacy=" + map[bool]string{true: "full", false: "off"}[hidden]
		}
		add(h.name(), value)
	}
	if id.Diversion && d.Forwarded != "" {
		add("Diversion", address(id.write(d.Forwarded))+";reason=unconditional")
	}
}

// caller is who calls, by what the provider asserts; private says that the caller
// does not want to be known, which the called then must not learn (RFC 3325 §7).
func (id Identity) caller(di sip.DialogInfo) (from, name string, private bool) {
	from, name = di.From, di.FromName
	believe := id.Believe
	if len(believe) == 0 && !id.FromOnly {
		believe = []Header{Asserted, RemoteParty}
	}
	for _, h := range believe {
		if u := sipleg.UserOf(sipleg.Header(di.Headers, h.name())); u != "" {
			from = u
			break
		}
	}
	for wish := range strings.FieldsFuncSeq(strings.ToLower(sipleg.Header(di.Headers, "Privacy")), func(r rune) bool { return r == ';' || r == ',' || r == ' ' }) {
		private = private || wish == "id" || wish == "user" || wish == "header"
	}
	if strings.Contains(strings.ToLower(sipleg.Header(di.Headers, RemoteParty.name())), "privacy=full") {
		private = true
	}
	if private || strings.EqualFold(from, anonymous) {
		return anonymous, "Anonymous", true
	}
	return id.read(from), name, false
}

// vouched is the number that the provider asserts, whatever the caller wants;
// empty: none that is believed.
func (id Identity) vouched(di sip.DialogInfo) string {
	if id.FromOnly || len(id.Believe) > 0 && !slices.Contains(id.Believe, Asserted) {
		return ""
	}
	if u := sipleg.UserOf(sipleg.Header(di.Headers, Asserted.name())); u != "" {
		return id.read(u)
	}
	return ""
}

// show are the headers by which the provider is told another party, if it wants any.
func (c Config) show(p call.Party, host string) []sip.Header {
	if !slices.Contains(c.Identity.Send, Asserted) {
		return nil
	}
	if strings.EqualFold(p.Number, anonymous) {
		return []sip.Header{{Name: "P-Asserted-Identity", Value: "<sip:anonymous@anonymous.invalid>"}, {Name: "Privacy", Value: "id"}}
	}
	p.Number = c.Identity.write(p.Number)
	return []sip.Header{sipleg.Asserted(p, cmp.Or(c.FromHost, c.domain(), host))}
}

// party is who is there now, by headers that the provider asserts.
func (id Identity) party(headers []sip.Header) (call.Party, bool) {
	number, name, private := id.caller(sip.DialogInfo{Headers: headers})
	if private {
		return call.Party{Number: anonymous}, true
	}
	return call.Party{Number: number, Name: name}, number != ""
}
