package api

import (
	"net/http"
	"net/url"
	"strings"
)

// WireURL is the URL as it goes on the wire and as it is signed: without the
// fragment (which holds delivery options and is never sent), and with Params
// added to the query, in order, when Method is GET.
func (o Outgoing) WireURL() string {
	u, _, _ := strings.Cut(o.URL, "#")
	if o.Method != http.MethodGet || len(o.Params) == 0 {
		return u
	}
	sep := "?"
	if strings.Contains(u, "?") {
		sep = "&"
	}
	if strings.HasSuffix(u, "?") || strings.HasSuffix(u, "&") {
		sep = ""
	}
	return u + sep + EncodeParams(o.Params)
}

// EncodeParams writes p as application/x-www-form-urlencoded, in order.
func EncodeParams(p []Param) string {
	var b strings.Builder
	for i, q := range p {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(q.Name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(q.Value))
	}
	return b.String()
}
