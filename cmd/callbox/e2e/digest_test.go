//go:build e2e

package e2e

import (
	"cmp"
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"net"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// proof is what a client puts into Authorization.
type proof struct {
	user, password, nonce, algorithm string
	count                            int
	uri                              string
	method                           string // empty: REGISTER
}

// String computes the header (RFC 7616 §3.4.1) by itself, independent of the
// product's own.
func (p proof) String() string {
	hash := func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }
	if p.algorithm == "MD5" {
		hash = func(s string) string { return fmt.Sprintf("%x", md5.Sum([]byte(s))) }
	}
	const cnonce = "0a4f113b"
	nc := fmt.Sprintf("%08x", p.count)
	response := hash(strings.Join([]string{hash(p.user + ":callbox:" + p.password), p.nonce, nc, cnonce, "auth", hash(cmp.Or(p.method, "REGISTER") + ":" + p.uri)}, ":"))
	return fmt.Sprintf("Authorization: Digest username=%q, realm=\"callbox\", nonce=%q, uri=%q, algorithm=%s, qop=auth, nc=%s, cnonce=%q, response=%q\r\n",
		p.user, p.nonce, p.uri, p.algorithm, nc, cnonce, response)
}

// challenges reads the WWW-Authenticate headers of a 401: the algorithms in
// order, the nonce, and whether it says stale.
func challenges(t *testing.T, res string) (algorithms []string, nonce string, stale bool) {
	t.Helper()
	for _, m := range regexp.MustCompile(`\r\nWWW-Authenticate: Digest ([^\r]*)`).FindAllStringSubmatch(res, -1) {
		if a := regexp.MustCompile(`algorithm=([\w-]+)`).FindStringSubmatch(m[1]); a != nil {
			algorithms = append(algorithms, a[1])
		}
		if n := regexp.MustCompile(`nonce="([^"]+)"`).FindStringSubmatch(m[1]); n != nil {
			nonce = n[1]
		}
		stale = stale || strings.Contains(m[1], "stale=true")
	}
	if !strings.HasPrefix(res, "SIP/2.0 401 ") || nonce == "" {
		t.Fatalf("no challenge:\n%s", res)
	}
	return algorithms, nonce, stale
}

// TestDigestReplay: a nonce is good once for each count and only while this box
// runs. Who comes with an older count or an old nonce but the right password is
// told so (stale, RFC 7616 §3.3) and not counted as a stranger; who comes with
// the wrong password is not.
func TestDigestReplay(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	for _, algorithm := range []string{"SHA-256", "MD5"} {
		t.Run(algorithm, func(t *testing.T) {
			c, err := net.Dial("udp", g.sip)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			ask := func(headers string) string {
				t.Helper()
				m := register("alice", c.LocalAddr().String()+";rport")
				return exchange(t, c, c, strings.Replace(m, "Max-Forwards", headers+"Contact: <sip:alice@"+c.LocalAddr().String()+">\r\nMax-Forwards", 1))
			}
			list, nonce, stale := challenges(t, ask(""))
			if strings.Join(list, " ") != "SHA-256 MD5" || stale {
				t.Errorf("the first challenge offers %v, stale %v", list, stale)
			}
			p := proof{user: "alice", password: "a1l2i3c4e5", nonce: nonce, algorithm: algorithm, count: 1, uri: "sip:box.example"}
			with := func(change func(*proof)) string {
				t.Helper()
				q := p
				change(&q)
				return ask(q.String())
			}
			good := func(what string, change func(*proof)) {
				t.Helper()
				if res := with(change); !strings.HasPrefix(res, "SIP/2.0 200 ") {
					t.Errorf("%s:\n%s", what, res)
				}
			}
			bad := func(what string, want bool, change func(*proof)) {
				t.Helper()
				_, fresh, stale := challenges(t, with(change))
				if stale != want || fresh == nonce {
					t.Errorf("%s: stale %v, want %v; a new nonce: %v", what, stale, want, fresh != nonce)
				}
			}
			good("the first count", func(*proof) {})
			bad("the same count again", true, func(*proof) {})
			good("the next count", func(q *proof) { q.count = 2 })
			good("a later count", func(q *proof) { q.count = 9 })
			bad("an earlier count", true, func(q *proof) { q.count = 8 })
			bad("a wrong password", false, func(q *proof) { q.count, q.password = 10, "a1l2i3c4e6" })
			bad("another user's password", false, func(q *proof) { q.count, q.password = 10, "b1o2b3b4o5" })
			bad("another registrar", false, func(q *proof) { q.count, q.uri = 10, "sip:other.example" })
			good("the right one after all", func(q *proof) { q.count = 10 })
			bad("an algorithm that was not offered", false, func(q *proof) { q.count, q.algorithm = 11, "SHA-512-256" })

			// The nonce of an earlier run.
			if err := g.stop(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			g.listen = g.sip
			g.start()
			poll(t, "the users are there", func() bool { _, text := g.status("alice"); return text == "no phone registered" })
			bad("the nonce of an earlier run", true, func(q *proof) { q.count = 11 })
			_, nonce, _ = challenges(t, ask(""))
			p.nonce = nonce
			good("a nonce of this run", func(*proof) {})
		})
	}
}
