package sip

import (
	"fmt"
	"mime"
	"mime/multipart"
	"net/url"
	"strconv"
	"strings"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/wire"
)

const (
	allow   = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, MESSAGE, NOTIFY, REFER, SUBSCRIBE, PRACK"
	sdpType = "application/sdp"
)

var phrases = map[int]string{
	100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress", 200: "OK",
	300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily", 305: "Use Proxy",
	400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found",
	405: "Method Not Allowed", 406: "Not Acceptable", 408: "Request Timeout", 410: "Gone", 415: "Unsupported Media Type",
	416: "Unsupported URI Scheme", 420: "Bad Extension", 421: "Extension Required", 422: "Session Interval Too Small",
	423: "Interval Too Brief", 480: "Temporarily Unavailable",
	489: "Bad Event", 202: "Accepted", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops", 484: "Address Incomplete",
	486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 491: "Request Pending",
	500: "Server Internal Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
	504: "Server Time-out", 600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}

func phrase(status int) string {
	if p := phrases[status]; p != "" {
		return p
	}
	return "Status " + strconv.Itoa(status)
}

// userOf is the user part of a URI with its escapes decoded; the number of a
// tel URI.
func userOf(u gosip.Uri) string {
	user := u.User
	if u.Scheme == "tel" {
		user, _, _ = strings.Cut(u.Raw(), ";")
	} else {
		user, _, _ = strings.Cut(user, ";") // sip:+15550100;phone-context=x@host
	}
	if dec, err := url.PathUnescape(user); err == nil {
		user = dec
	}
	return clean(user)
}

// party is the user part, or the whole URI when it has none.
func party(u gosip.Uri) string {
	if user := userOf(u); user != "" {
		return user
	}
	return clean(u.String())
}

// clean makes text of the wire safe for records and logs.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// escapeUser encodes what may not stand in a user part (RFC 3261 §25.1 user).
func escapeUser(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strings.IndexByte("-_.!~*'()&=+$,;?/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// quoteName prepares a display name for the quotes that sipgo puts around it.
func quoteName(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(printable(s))
}

// printable is a name without control characters.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, clean(s))
}

// unquoteName undoes quoteName. Control characters, which others may have escaped in
// it, are left out.
func unquoteName(s string) string {
	if !strings.ContainsRune(s, '\\') {
		return printable(s)
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return printable(b.String())
}

// parseURI reads a sip or sips URI; a bare "host" or "host:port" is taken for one.
func parseURI(s string) (gosip.Uri, error) {
	t := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s), "<"), ">")
	if low := strings.ToLower(t); !strings.HasPrefix(low, "sip:") && !strings.HasPrefix(low, "sips:") {
		t = "sip:" + t
	}
	var u gosip.Uri
	if err := gosip.ParseUri(t, &u); err != nil {
		return u, fmt.Errorf("sip: %q is not a SIP URI: %w", s, err)
	}
	if u.Host == "" || u.Wildcard || u.Port < 0 || u.Port > 65535 || strings.ContainsAny(t, " \t\r\n<>\"\x00") {
		return u, fmt.Errorf("sip: %q is not a SIP URI", s)
	}
	return u, nil
}

// transportOf is what a URI asks for; "" when it does not say.
func transportOf(u gosip.Uri) string {
	if u.Scheme == "sips" {
		return wire.TLS
	}
	t, _ := wire.Param(u.UriParams, "transport")
	return strings.ToLower(t)
}

// contactsOf lists every Contact of a message.
func contactsOf(m gosip.Message) []*gosip.ContactHeader {
	var cs []*gosip.ContactHeader
	for _, h := range m.GetHeaders("Contact") {
		if c, ok := h.(*gosip.ContactHeader); ok {
			cs = append(cs, c)
		}
	}
	return cs
}

// bodyType is the media type of a message's body without parameters.
func bodyType(m gosip.Message) string {
	hs := m.GetHeaders("Content-Type")
	if len(hs) == 0 {
		return ""
	}
	t, _, _ := strings.Cut(hs[0].Value(), ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// sdpOf gives the SDP of a message, also out of a multipart body; nil when it
// has no body. ok is false when the body is something else (415).
func sdpOf(m gosip.Message) (sdp []byte, ok bool) {
	if len(m.Body()) == 0 {
		return nil, true
	}
	t := bodyType(m)
	if t == sdpType {
		return m.Body(), true
	}
	if !strings.HasPrefix(t, "multipart/") {
		return nil, false
	}
	_, params, err := mime.ParseMediaType(m.GetHeaders("Content-Type")[0].Value())
	if err != nil || params["boundary"] == "" {
		return nil, false
	}
	r := multipart.NewReader(strings.NewReader(string(m.Body())), params["boundary"])
	for range 8 { // parts; a telephone sends two
		part, err := r.NextRawPart()
		if err != nil {
			return nil, false
		}
		if pt, _, _ := strings.Cut(part.Header.Get("Content-Type"), ";"); strings.EqualFold(strings.TrimSpace(pt), sdpType) {
			var b strings.Builder
			buf := make([]byte, 4096)
			for {
				n, err := part.Read(buf)
				b.Write(buf[:n])
				if err != nil {
					return []byte(b.String()), true
				}
			}
		}
	}
	return nil, false
}

// interpreted lists the headers that DialogInfo.Headers leaves out and that
// Invite.Headers may not set.
var interpreted = map[string]bool{
	"via": true, "v": true, "from": true, "f": true, "to": true, "t": true, "call-id": true, "i": true, "cseq": true,
	"contact": true, "m": true, "max-forwards": true, "route": true, "record-route": true, "content-type": true, "c": true,
	"content-length": true, "l": true, "allow": true, "supported": true, "k": true, "require": true, "proxy-require": true,
	"authorization": true, "proxy-authorization": true, "www-authenticate": true, "proxy-authenticate": true,
	"user-agent": true, "server": true, "reason": true, "accept": true, "content-encoding": true, "e": true,
	"session-expires": true, "x": true, "min-se": true, "rseq": true, "rack": true,
}

// headersOf lists what the package does not interpret.
func headersOf(req *gosip.Request) []Header {
	var hs []Header
	for _, h := range req.Headers() {
		if !interpreted[strings.ToLower(h.Name())] {
			hs = append(hs, Header{Name: h.Name(), Value: clean(h.Value())})
		}
	}
	return hs
}
