package wire

import (
	"bytes"
	"strings"
)

// copied are the headers that a response has from its request (RFC 3261
// §8.2.6.2), by name and compact form.
var copied = map[string]string{
	"via": "via", "v": "via", "from": "from", "f": "from", "to": "to", "t": "to",
	"call-id": "call-id", "i": "call-id", "cseq": "cseq",
}

// refusal makes the response to a request that cannot be parsed, of the
// request's own lines. It is nil for what is no request, or has not what a
// response needs.
func refusal(raw []byte) []byte {
	head, _, ok := bytes.Cut(raw, []byte("\r\n\r\n"))
	if !ok {
		return nil
	}
	lines := strings.Split(string(head), "\r\n")
	if len(lines) > maxHeaders || strings.HasPrefix(lines[0], "SIP/") || strings.HasPrefix(lines[0], "ACK ") || hasControl(lines[0]) {
		return nil
	}
	status := refusalStatus(lines[0])
	if status == "" {
		return nil
	}
	var out strings.Builder
	out.WriteString("SIP/2.0 " + status + "\r\n")
	seen, keep := map[string]bool{}, false
	for _, l := range lines[1:] {
		if len(l) > maxHeaderBytes || hasControl(l) {
			return nil
		}
		if !strings.HasPrefix(l, " ") && !strings.HasPrefix(l, "\t") {
			name, _, _ := strings.Cut(l, ":")
			name = copied[strings.ToLower(strings.TrimSpace(name))]
			keep = name != "" && (name == "via" || !seen[name])
			seen[name] = true
		}
		if keep {
			out.WriteString(l + "\r\n")
		}
	}
	for _, name := range copied {
		if !seen[name] {
			return nil
		}
	}
	out.WriteString("Content-Length: 0\r\n\r\n")
	return []byte(out.String())
}

// refusalStatus judges a request line that did not parse; empty: it is none.
func refusalStatus(line string) string {
	line = strings.TrimRight(line, " \t")
	i := strings.LastIndexByte(line, ' ')
	method, rest, _ := strings.Cut(line, " ")
	if i < 0 || !isToken(method) || !strings.HasPrefix(line[i+1:], "SIP/") {
		return ""
	}
	if line[i+1:] != "SIP/2.0" {
		return "505 Version Not Supported"
	}
	scheme, _, ok := strings.Cut(strings.TrimLeft(rest, " <"), ":")
	if scheme = strings.ToLower(scheme); ok && scheme != "sip" && scheme != "sips" && scheme != "tel" && isToken(scheme) {
		return "416 Unsupported URI Scheme"
	}
	return "400 Bad Request"
}
