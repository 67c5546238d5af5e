package sip

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"

	"callbox/sip/wire"
)

// Limits of the authenticator's tables.
const (
	maxNonces   = 4096 // nonces in use
	maxFailures = 1024 // sources that do not react to challenges
	maxUserSize = 128  // bytes of a user name that are looked at
	plainAfter  = 2    // challenges without a reaction, then only MD5 is offered
)

// md5Only lists User-Agents, by prefix, that give up on a challenge with any
// other algorithm beside MD5 instead of picking (seen with baresip 1.0.0).
var md5Only = []string{"baresip v0.", "baresip v1."}

// verdict is what became of a request's credentials.
type verdict int

const (
	authGood    verdict = iota
	authMissing         // none, or none for our realm: challenge
	authStale           // right, but the nonce is old or used up: challenge with stale=true
	authBad             // wrong: challenge, and count it towards a ban
)

// authenticator checks digest credentials (RFC 3261 §22, RFC 8760). Nonces hold
// their own time and a MAC, so that a challenge costs no memory; only nonces
// that were used are remembered, with their highest count.
type authenticator struct {
	realm string
	life  time.Duration
	key   [32]byte
	decoy string // the password of users that do not exist

	mu     sync.Mutex // guards the rest
	used   map[string]nonceUse
	floor  time.Time       // nonces made before and not in used count as used up
	silent map[failure]int // challenges that were not reacted to
}

type nonceUse struct {
	made  time.Time
	count int    // highest nc seen
	user  string // who answered right with it
}

func newAuthenticator(realm string, life time.Duration) *authenticator {
	a := &authenticator{realm: realm, life: life, used: map[string]nonceUse{}, silent: map[failure]int{}}
	_, _ = rand.Read(a.key[:]) // never fails (crypto/rand)
	a.decoy = rand.Text()
	return a
}

// nonce is time, 8 random bytes and a MAC over both, in base64url.
//
//	0        8        16               32
//	| ns time | random |  HMAC-SHA-256  |
func (a *authenticator) nonce(now time.Time) string {
	var b [32]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixNano()))
	_, _ = rand.Read(b[8:16])
	copy(b[16:], a.mac(b[:16]))
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (a *authenticator) mac(b []byte) []byte {
	m := hmac.New(sha256.New, a.key[:])
	m.Write(b)
	return m.Sum(nil)[:16]
}

// made gives the time of a nonce of ours; ok is false for any other string.
func (a *authenticator) made(nonce string) (t time.Time, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(b) != 32 || !hmac.Equal(a.mac(b[:16]), b[16:]) {
		return time.Time{}, false
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(b[:8]))), true
}

// challenges are the WWW-Authenticate headers, the strongest first (RFC 8760 §2.4).
func (a *authenticator) challenges(now time.Time, stale, plain bool) []gosip.Header {
	nonce := a.nonce(now)
	algs := []string{"SHA-256", "MD5"}
	if plain {
		algs = algs[1:]
	}
	var hs []gosip.Header
	for _, alg := range algs {
		c := digest.Challenge{Realm: a.realm, Nonce: nonce, Algorithm: alg, QOP: []string{"auth"}, Stale: stale}
		hs = append(hs, gosip.NewHeader("WWW-Authenticate", c.String()))
	}
	return hs
}

// check judges the credentials of req for a user.
func (a *authenticator) check(req *gosip.Request, user, password string, now time.Time) verdict {
	for _, h := range req.GetHeaders("Authorization") {
		c, err := digest.ParseCredentials(h.Value())
		if err != nil || c.Realm != a.realm {
			continue
		}
		if v := a.checkOne(c, req, user, password, now); v != authMissing {
			return v
		}
	}
	return authMissing
}

func (a *authenticator) checkOne(c *digest.Credentials, req *gosip.Request, user, password string, now time.Time) verdict {
	made, ours := a.made(c.Nonce)
	if !ours {
		return authStale // of an earlier run of the box: the client asks again without bothering anybody
	}
	chal := &digest.Challenge{Realm: a.realm, Nonce: c.Nonce, Algorithm: c.Algorithm}
	switch {
	case c.QOP == "auth" && c.Nc > 0 && c.Cnonce != "":
		chal.QOP = []string{"auth"}
	case c.QOP == "": // RFC 2069: allowed by RFC 3261 §22.4, good for one request only
		c.Nc = 1
	default:
		return authBad
	}
	if alg := strings.ToUpper(c.Algorithm); alg != "" && alg != "MD5" && alg != "SHA-256" {
		return authMissing
	}
	want, err := digest.Digest(chal, digest.Options{
		Method: string(req.Method), URI: c.URI, Username: user, Password: password, Cnonce: c.Cnonce, Count: c.Nc,
	})
	if err != nil {
		return authBad
	}
	sameUser := subtle.ConstantTimeCompare([]byte(user), []byte(c.Username))
	sameHash := subtle.ConstantTimeCompare([]byte(want.Response), []byte(strings.ToLower(c.Response)))
	if sameUser&sameHash != 1 || !sameResource(c.URI, req.Recipient) {
		return authBad
	}
	if now.Sub(made) > a.life || made.After(now.Add(time.Minute)) || !a.use(c.Nonce, c.Nc, user, made, now) {
		return authStale
	}
	return authGood
}

// sameResource compares the digest-uri with the request URI by user and host;
// phones differ in port and parameters (RFC 3261 §22.4 item 5).
func sameResource(uri string, want gosip.Uri) bool {
	var u gosip.Uri
	if gosip.ParseUri(uri, &u) != nil {
		return false
	}
	return userOf(u) == userOf(want) && strings.EqualFold(u.Host, want.Host)
}

// use notes a nonce count and reports whether it is higher than all before: a
// request that is sent again by somebody who overheard it is refused.
func (a *authenticator) use(nonce string, count int, user string, made, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	u, ok := a.used[nonce]
	if ok && count <= u.count {
		return false
	}
	if !ok {
		if !made.After(a.floor) {
			return false
		}
		if len(a.used) >= maxNonces {
			a.evict(now)
		}
	}
	a.used[nonce] = nonceUse{made: made, count: count, user: user}
	return true
}

// evict makes room: expired nonces first, otherwise the oldest quarter of time.
func (a *authenticator) evict(now time.Time) {
	for limit := a.life; len(a.used) >= maxNonces; limit /= 2 {
		for n, u := range a.used {
			if age := now.Sub(u.made); age > limit || limit == 0 {
				delete(a.used, n)
				if u.made.After(a.floor) {
					a.floor = u.made // never good again, as if remembered
				}
			}
		}
	}
}

// knows reports whether a request uses a nonce that its user has answered right
// before: nobody else but an eavesdropper has it.
func (a *authenticator) knows(req *gosip.Request, user string) bool {
	c := a.credentials(req)
	if c == nil || c.Username != user {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	u, ok := a.used[c.Nonce]
	return ok && u.user == user
}

// credentials are the first of a request that are for our realm, nil without.
func (a *authenticator) credentials(req *gosip.Request) *digest.Credentials {
	for _, h := range req.GetHeaders("Authorization") {
		if c, err := digest.ParseCredentials(h.Value()); err == nil && c.Realm == a.realm {
			return c
		}
	}
	return nil
}

// plain notes a challenge, or that one was reacted to, and reports whether the
// phone is one that cannot choose among algorithms: by its name, or because it
// ignored the last challenges.
func (a *authenticator) plain(f failure, userAgent string, reacted bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if reacted {
		if a.silent[f] <= plainAfter { // else it is one, and stays one
			delete(a.silent, f)
		}
	} else {
		if len(a.silent) >= maxFailures {
			clear(a.silent)
		}
		a.silent[f]++
	}
	return a.silent[f] > plainAfter || slices.ContainsFunc(md5Only, func(p string) bool { return strings.HasPrefix(userAgent, p) })
}

// authorize lets a request of a user pass or answers it. Guessing passwords
// earns silence. A user that does not exist takes the same way.
func (s *Stack) authorize(p *peer, req *gosip.Request, flow wire.Flow, tx *wire.ServerTx) bool {
	now := time.Now()
	who := failure{flow.Remote.Addr(), clipUser(p.Username)}
	home := p.reg.has(flow)
	blocked := s.guard.blocks(who, now)
	knows := s.auth.knows(req, p.Username)
	if !home && !knows && (blocked || !s.guard.spend(who.addr, priceAsk, now)) {
		s.stranger(req, flow, tx)
		return false
	}
	v := s.auth.check(req, p.Username, p.Password, now)
	if p.ghost && v != authMissing && v != authStale {
		v = authBad
	}
	var userAgent string
	if h := req.GetHeader("User-Agent"); h != nil {
		userAgent = h.Value()
	}
	plain := s.auth.plain(who, userAgent, v != authMissing)
	switch v {
	case authGood:
		s.guard.right(who, now)
		return true
	case authBad:
		s.wrong(who, req, flow, now)
	}
	s.count.challenges.Add(1)
	s.respond(tx, req, 401, "", s.auth.challenges(now, v == authStale, plain)...)
	if !home && v == authMissing {
		tx.Drop() // whoever only asks leaves nothing behind (RFC 3261 §26.3.2.4)
	}
	return false
}

// wrong counts a wrong answer and tells of the ban that it earns.
func (s *Stack) wrong(who failure, req *gosip.Request, flow wire.Flow, now time.Time) {
	s.count.authFailures.Add(1)
	pair, whole := s.guard.wrong(who, now)
	s.log.Warn("wrong SIP credentials", "user", who.user, "remote", flow.Remote, "method", string(req.Method))
	if pair {
		s.log.Warn("banned from SIP for wrong passwords: one user at one address; lift it with callbox bans", "user", who.user, "remote", flow.Remote)
	}
	if whole {
		s.log.Warn("banned from SIP for wrong passwords: an address, but for the users that have answered right from there; lift it with callbox bans", "remote", flow.Remote)
	}
}

func clipUser(user string) string { return user[:min(len(user), maxUserSize)] }
