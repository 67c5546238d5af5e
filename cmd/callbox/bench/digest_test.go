//go:build bench

package bench

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strings"
)

// member is a user with a password.
type member struct{ name, password string }

// proof is the header that answers the first MD5 challenge of a 401 or 407 (RFC
// 2617 §3.2.2 with qop=auth).
func (u member) proof(m message, method, uri string) string {
	for _, l := range m.lines {
		name, value, _ := strings.Cut(l, ": ")
		reply := map[string]string{"WWW-Authenticate": "Authorization", "Proxy-Authenticate": "Proxy-Authorization"}[name]
		if reply == "" || strings.Contains(value, "SHA-") {
			continue
		}
		realm, nonce := quotedParam(value, "realm"), quotedParam(value, "nonce")
		ha1, ha2 := hashed(u.name+":"+realm+":"+u.password), hashed(method+":"+uri)
		const cnonce = "0a4f113b"
		return fmt.Sprintf(`%s: Digest username="%s", realm="%s", nonce="%s", uri="%s", algorithm=MD5, qop=auth, nc=00000001, cnonce="%s", response="%s"`,
			reply, u.name, realm, nonce, uri, cnonce, hashed(ha1+":"+nonce+":00000001:"+cnonce+":auth:"+ha2))
	}
	return ""
}

func quotedParam(header, name string) string {
	_, v, _ := strings.Cut(header, name+`="`)
	v, _, _ = strings.Cut(v, `"`)
	return v
}

func hashed(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}
