package laml

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the family's clients verify with HMAC-SHA1, nothing else
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	"callbox/api"
)

// Sign gives the signature header of o, by the rule of call-api.md §3.6:
// base64(HMAC-SHA1(secret, URL as sent + sorted form parameters)). Values of a
// repeated name are sorted and written once each. A JSON body stands in the URL
// as bodySHA256; Sign adds it when the URL has none, and the sender must then
// send that URL.
func (d *Dialect) Sign(secret string, o api.Outgoing) (name, value string) {
	if d.p.SignatureHeader == "" {
		return "", ""
	}
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(signedText(o)))
	return d.p.SignatureHeader, base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// signedText is the text that Sign signs.
func signedText(o api.Outgoing) string {
	var b strings.Builder
	b.WriteString(o.WireURL())
	switch {
	case o.JSON != nil:
		if !strings.Contains(o.URL, "bodySHA256=") {
			sum := sha256.Sum256(o.JSON)
			sep := "?"
			if strings.Contains(o.WireURL(), "?") {
				sep = "&"
			}
			b.WriteString(sep + "bodySHA256=" + hex.EncodeToString(sum[:]))
		}
	case o.Method != http.MethodGet:
		params := slices.Clone(o.Params)
		slices.SortFunc(params, func(x, y api.Param) int {
			if c := strings.Compare(x.Name, y.Name); c != 0 {
				return c
			}
			return strings.Compare(x.Value, y.Value)
		})
		for _, p := range slices.Compact(params) {
			b.WriteString(p.Name)
			b.WriteString(p.Value)
		}
	}
	return b.String()
}
