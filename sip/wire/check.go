package wire

import (
	"errors"
	"fmt"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// ErrMalformed is what every failed check is.
var ErrMalformed = errors.New("wire: malformed message")

// Limits of a message that a telephone or provider never comes near.
const (
	maxHeaders     = 128  // header fields
	maxHeaderBytes = 8192 // of one header value
	maxViaCount    = 70   // hops, the default of Max-Forwards
	maxIDBytes     = 256  // Call-ID, tag, branch
	maxMethodBytes = 64   // RFC 4475 §3.1.1.2 has one of 43
)

// once lists the headers that a message has at most once (RFC 3261 §7.3.1);
// two of them are how messages are made to mean one thing to a firewall and
// another to the box.
var once = map[string]bool{
	"from": true, "f": true, "to": true, "t": true, "call-id": true, "i": true, "cseq": true,
	"max-forwards": true, "content-length": true, "l": true, "content-type": true, "c": true, "expires": true,
}

// canonical folds the compact forms among once.
var canonical = map[string]string{"f": "from", "t": "to", "i": "call-id", "l": "content-length", "c": "content-type"}

// CheckRequest reports what makes a parsed request unfit for any handler. A
// request that passes has one From with a tag, To, Call-ID, CSeq of its own
// method, Max-Forwards and a top Via, an INVITE one Contact, and no absurd length
// anywhere in its headers, nor a control character, except escaped in the display
// names of From and To. The method is the one that CSeq names: the parser has
// raised its letters, whose case counts (RFC 3261 §7.1).
func CheckRequest(req *sip.Request) error {
	if err := checkCommon(req, req.Headers()); err != nil {
		return err
	}
	if req.SipVersion != "SIP/2.0" {
		return malformed("version %q", clip(req.SipVersion))
	}
	if len(req.Method) > maxMethodBytes || !isToken(string(req.Method)) {
		return malformed("method %q", clip(string(req.Method)))
	}
	if sent := req.CSeq().MethodName; strings.EqualFold(string(sent), string(req.Method)) {
		req.Method = sent
	} else {
		return malformed("CSeq is of %s, the request of %s", clip(string(req.CSeq().MethodName)), req.Method)
	}
	if mf := req.MaxForwards(); mf == nil || *mf > 255 {
		return malformed("Max-Forwards is missing or above 255")
	}
	if tag, _ := Param(req.From().Params, "tag"); tag == "" {
		return malformed("From has no tag")
	}
	if err := checkURI(&req.Recipient); err != nil {
		return err
	}
	if len(req.Recipient.Headers) > 0 {
		return malformed("the request URI has headers") // RFC 4475 §3.1.2.11
	}
	if req.IsInvite() {
		return checkInviteContact(req)
	}
	return nil
}

// CheckResponse is CheckRequest for responses.
func CheckResponse(res *sip.Response) error {
	if err := checkCommon(res, res.Headers()); err != nil {
		return err
	}
	if res.SipVersion != "SIP/2.0" || res.StatusCode < 100 || res.StatusCode > 699 {
		return malformed("status line")
	}
	if hasControl(res.Reason) {
		return malformed("control character in the reason phrase")
	}
	if !isToken(string(res.CSeq().MethodName)) {
		return malformed("CSeq method")
	}
	return nil
}

// checkCommon looks at what requests and responses share.
func checkCommon(m sip.Message, headers []sip.Header) error {
	if len(headers) > maxHeaders {
		return malformed("%d header fields", len(headers))
	}
	seen := make(map[string]bool, 8)
	vias := 0
	for _, h := range headers {
		name := strings.ToLower(h.Name())
		if !isToken(name) {
			return malformed("header name %q", clip(name))
		}
		if err := checkValue(h); err != nil {
			return err
		}
		if name == "via" || name == "v" {
			vias++
		}
		if once[name] {
			if c, ok := canonical[name]; ok {
				name = c
			}
			if seen[name] {
				return malformed("more than one %s", name)
			}
			seen[name] = true
		}
	}
	if vias > maxViaCount {
		return malformed("%d Via fields", vias)
	}
	return checkMandatory(m)
}

func checkMandatory(m sip.Message) error {
	switch {
	case m.Via() == nil:
		return malformed("no Via")
	case m.From() == nil:
		return malformed("no From")
	case m.To() == nil:
		return malformed("no To")
	case m.CallID() == nil:
		return malformed("no Call-ID")
	case m.CSeq() == nil:
		return malformed("no CSeq")
	}
	if id := m.CallID().Value(); id == "" || len(id) > maxIDBytes || strings.ContainsAny(id, " \t") {
		return malformed("Call-ID")
	}
	via := m.Via()
	if !strings.EqualFold(via.ProtocolName, "SIP") || via.ProtocolVersion != "2.0" || via.Host == "" || !isToken(via.Transport) ||
		strings.ContainsAny(via.Host, " \t,;<>@\"") || via.Port < 0 || via.Port > 65535 {
		return malformed("Via")
	}
	if b := branchOf(via); len(b) > maxIDBytes {
		return malformed("Via branch")
	}
	// sipgo leaves the white space in that RFC 3261 §25.1 allows before a semicolon.
	from, to := m.From(), m.To()
	from.Address.Host, to.Address.Host = strings.TrimSpace(from.Address.Host), strings.TrimSpace(to.Address.Host)
	for _, p := range []sip.HeaderParams{m.From().Params, m.To().Params} {
		if tag, _ := Param(p, "tag"); len(tag) > maxIDBytes || strings.ContainsAny(tag, " \t,;<>@\"") {
			return malformed("tag")
		}
	}
	if err := checkURI(&m.From().Address); err != nil {
		return err
	}
	return checkURI(&m.To().Address)
}

// checkURI wants a host in sip and sips URIs; others are opaque.
func checkURI(u *sip.Uri) error {
	if u.Scheme != "sip" && u.Scheme != "sips" {
		if u.Raw() == "" {
			return malformed("URI %q", clip(u.Scheme))
		}
		return nil
	}
	if u.Host == "" || u.Wildcard || strings.ContainsAny(u.Host, " \t<>\"@,;") || u.Port < 0 || u.Port > 65535 {
		return malformed("URI host")
	}
	if strings.ContainsAny(u.User, " \t<>\"") {
		return malformed("URI user")
	}
	return nil
}

// checkInviteContact wants the one contact that a dialog needs (RFC 3261 §8.1.1.8).
func checkInviteContact(req *sip.Request) error {
	cs := req.GetHeaders("Contact")
	if len(cs) != 1 {
		return malformed("INVITE with %d contacts", len(cs))
	}
	c, ok := cs[0].(*sip.ContactHeader)
	if !ok || c.Address.Wildcard || (c.Address.Scheme != "sip" && c.Address.Scheme != "sips") {
		return malformed("INVITE contact")
	}
	return checkURI(&c.Address)
}

// answerable reports whether a malformed request has what a response copies.
func answerable(req *sip.Request) bool {
	return checkMandatory(req) == nil && checkHeaderBytes(req.Headers()) == nil
}

func checkHeaderBytes(headers []sip.Header) error {
	for _, h := range headers {
		if err := checkValue(h); err != nil {
			return err
		}
	}
	return nil
}

// checkValue looks at the value of a header of any kind.
func checkValue(h sip.Header) error {
	var shown string
	switch h := h.(type) {
	case *sip.FromHeader:
		shown = h.DisplayName
	case *sip.ToHeader:
		shown = h.DisplayName
	}
	value := h.Value()
	if rest, ok := strings.CutPrefix(value, `"`+shown+`"`); ok {
		value = unpaired(shown) + rest
	}
	if len(value) > maxHeaderBytes || hasControl(value) {
		return malformed("value of header %s", clip(h.Name()))
	}
	return nil
}

// unpaired is what stands between quotes, without what is escaped by a backslash: any
// character of ASCII but the ends of lines (RFC 3261 §25.1 quoted-pair).
func unpaired(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && s[i+1] != '\r' && s[i+1] != '\n' && s[i+1] < 0x80 {
			i++
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// hasControl reports bytes that could end a line or a string further on.
func hasControl(s string) bool {
	for i := range len(s) {
		if (s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f {
			return true
		}
	}
	return false
}

// isToken is RFC 3261 §25.1 token.
func isToken(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strings.IndexByte("-.!%*_+`'~", c) >= 0 {
			continue
		}
		return false
	}
	return true
}
