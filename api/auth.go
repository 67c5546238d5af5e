package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"
)

// Auth decides who a request comes from. Its methods may be called concurrently.
type Auth struct {
	accounts Accounts
	failures failures
}

// NewAuth checks credentials against accounts.
func NewAuth(accounts Accounts) *Auth { return &Auth{accounts: accounts} }

// minCompared is how many pairs of name and secret are compared at least, so
// that an account that does not exist costs as much as one that does.
const minCompared = 8

// Basic gives the account that r acts for, when r carries, by HTTP basic
// authentication (RFC 7617), one of that account's ids and its token or one of its API keys
// and its secret. The error is ErrUnauthorized, the same for an unknown account
// and a wrong secret, ErrSuspended, or a *ThrottledError.
func (a *Auth) Basic(r *http.Request, account string) (Account, error) {
	return a.Check(r, func() (Account, bool) {
		user, secret, ok := r.BasicAuth()
		acc, known := a.accounts.Account(account)
		match := matches(acc, user, secret)
		return acc, ok && known && match
	})
}

// Bearer gives the account that r acts for, when r carries, as a bearer token
// (RFC 6750 §2.1), that account's token or the secret of one of its API keys. The
// errors are those of Basic.
func (a *Auth) Bearer(r *http.Request, account string) (Account, error) {
	return a.Check(r, func() (Account, bool) {
		scheme, secret, ok := strings.Cut(r.Header.Get("Authorization"), " ")
		acc, known := a.accounts.Account(account)
		match := opens(acc, strings.TrimSpace(secret))
		return acc, ok && strings.EqualFold(scheme, "Bearer") && known && match
	})
}

// Holder gives the account that r acts for, when r carries, as a bearer token, the
// token of any account or the secret of one of its API keys. The errors are those of
// Basic.
func (a *Auth) Holder(r *http.Request) (Account, error) {
	return a.Check(r, func() (Account, bool) {
		scheme, secret, ok := strings.Cut(r.Header.Get("Authorization"), " ")
		var holder Account
		found := false
		for _, acc := range a.accounts.Accounts() { // all of them, whichever matches
			if match := opens(acc, strings.TrimSpace(secret)); match && !found {
				holder, found = acc, true
			}
		}
		return holder, ok && strings.EqualFold(scheme, "Bearer") && found
	})
}

// Check lets verify look at the credentials of r, unless the source of r failed
// too often; a false from verify counts as a failure of that source. Requests
// without an Authorization header are refused without being counted.
func (a *Auth) Check(r *http.Request, verify func() (Account, bool)) (Account, error) {
	src, now := sourceOf(r.RemoteAddr), time.Now()
	if wait := a.failures.wait(src, now); wait > 0 {
		return Account{}, &ThrottledError{RetryAfter: wait}
	}
	if r.Header.Get("Authorization") == "" {
		return Account{}, ErrUnauthorized
	}
	acc, ok := verify()
	if !ok {
		a.failures.fail(src, now)
		return Account{}, ErrUnauthorized
	}
	if acc.Suspended {
		return Account{}, ErrSuspended
	}
	return acc, nil
}

// matches compares all of acc's credentials in a time that does not depend on
// which of them match.
func matches(acc Account, user, secret string) bool {
	u, s, token := hashOf(user), hashOf(secret), hashOf(acc.Token)
	found, compared := same(u, s, hashOf(acc.ID), token)|same(u, s, hashOf(acc.Project), token), 2
	for id, sum := range acc.Keys {
		found |= same(u, s, hashOf(id), sum)
		compared++
	}
	for ; compared < minCompared; compared++ {
		found |= same(u, s, hashOf(""), hash{})
	}
	return found == 1
}

type hash = [sha256.Size]byte

// hashOf is the hash of a name or secret; that of an empty one is zero.
func hashOf(s string) hash {
	h := sha256.Sum256([]byte(s))
	if s == "" {
		return hash{}
	}
	return h
}

// same is 1 when a name and a secret with the hashes u and s are those with the
// hashes name and secret. Those that are not there never match.
func same(u, s, name, secret hash) int {
	eq := subtle.ConstantTimeCompare(u[:], name[:]) & subtle.ConstantTimeCompare(s[:], secret[:])
	if name == (hash{}) || secret == (hash{}) {
		return 0
	}
	return eq
}

// opens is matches for a secret that comes without a name.
func opens(acc Account, secret string) bool {
	s, token := hashOf(secret), hashOf(acc.Token)
	found, compared := same(s, s, token, token), 1
	for _, sum := range acc.Keys {
		found |= same(s, s, sum, sum)
		compared++
	}
	for ; compared < minCompared; compared++ {
		found |= same(s, s, hash{}, hash{})
	}
	return found == 1
}

// EqualSecrets compares two secrets in a time that does not depend on their
// content; empty ones are never equal.
func EqualSecrets(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1 && a != ""
}
