package api

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// accounts is an Accounts of one account and no applications.
type accounts struct{ a Account }

func (x accounts) Account(id string) (Account, bool) {
	if id != x.a.ID {
		return Account{}, false
	}
	return x.a, true
}

func (x accounts) Accounts() []Account {
	return []Account{{ID: "AC0", Token: "other"}, x.a, {ID: "AC3"}}
}

func (accounts) Application(string, string) (Application, bool) { return Application{}, false }

var alice = accounts{Account{ID: "AC1", Token: "token", Keys: map[string][32]byte{"SK1": hashOf("secret"), "SK2": {}, "SK3": sha256.Sum256(nil)}}}

func login(a *Auth, account, user, password, remote string) error {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = remote
	if user != "-" {
		r.SetBasicAuth(user, password)
	}
	_, err := a.Basic(r, account)
	return err
}

func TestBasic(t *testing.T) {
	for _, tc := range []struct {
		account, user, password string
		ok                      bool
	}{
		{"AC1", "AC1", "token", true},
		{"AC1", "SK1", "secret", true},
		{"AC1", "SK1", "token", false},
		{"AC1", "AC1", "secret", false},
		{"AC1", "SK2", "", false},
		{"AC1", "SK3", "", false},
		{"AC1", "AC1", "", false},
		{"AC1", "", "", false},
		{"AC1", "-", "", false},
		{"AC2", "AC2", "", false},
		{"AC2", "AC1", "token", false},
		{"", "", "", false},
		{"", "AC1", "token", false},
	} {
		err := login(NewAuth(alice), tc.account, tc.user, tc.password, "192.0.2.1:99")
		if (err == nil) != tc.ok || !tc.ok && !errors.Is(err, ErrUnauthorized) {
			t.Errorf("%+v: %v", tc, err)
		}
	}
	a := NewAuth(alice)
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer x")
	if _, err := a.Basic(r, "AC1"); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("bearer: %v", err)
	}
}

func TestBearer(t *testing.T) {
	for _, tc := range []struct {
		account, header string
		ok              bool
	}{
		{"AC1", "Bearer token", true},
		{"AC1", "bearer  secret ", true},
		{"AC1", "Bearer SK1", false},
		{"AC1", "Bearer ", false},
		{"AC1", "Bearer", false},
		{"AC1", "Basic token", false},
		{"AC1", "token", false},
		{"AC1", "", false},
		{"AC2", "Bearer token", false},
		{"", "Bearer token", false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", tc.header)
		acc, err := NewAuth(alice).Bearer(r, tc.account)
		if (err == nil) != tc.ok || !tc.ok && !errors.Is(err, ErrUnauthorized) || tc.ok && acc.ID != "AC1" {
			t.Errorf("%+v: %v", tc, err)
		}
	}
}

// TestHolder: a bearer token alone says whose account it is.
func TestHolder(t *testing.T) {
	for header, want := range map[string]string{
		"Bearer token": "AC1", "bearer  secret ": "AC1", "Bearer other": "AC0", "Bearer SK1": "", "Bearer ": "", "Bearer": "", "Basic token": "", "token": "", "": "",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", header)
		acc, err := NewAuth(alice).Holder(r)
		if acc.ID != want && err == nil || (err == nil) != (want != "") || err != nil && !errors.Is(err, ErrUnauthorized) {
			t.Errorf("%q: %q, %v; want %q", header, acc.ID, err, want)
		}
	}
}

func TestFailuresAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewAuth(alice)
		const bad, good = "192.0.2.1:99", "192.0.2.2:99"
		for i := range FailureBurst {
			if err := login(a, "AC1", "AC1", "guess", bad); !errors.Is(err, ErrUnauthorized) {
				t.Fatalf("guess %d: %v", i, err)
			}
		}
		var throttled *ThrottledError
		if err := login(a, "AC1", "AC1", "token", bad); !errors.As(err, &throttled) || throttled.RetryAfter != FailurePace || throttled.Seconds() != 6 {
			t.Fatalf("after the burst: %v", err)
		}
		if err := login(a, "AC1", "AC1", "token", good); err != nil {
			t.Errorf("another source: %v", err)
		}
		pass(FailurePace)
		if err := login(a, "AC1", "AC1", "guess", bad); !errors.Is(err, ErrUnauthorized) {
			t.Errorf("one more after the pace: %v", err)
		}
		if err := login(a, "AC1", "AC1", "token", bad); !errors.As(err, &throttled) {
			t.Errorf("and no second one: %v", err)
		}
		pass(FailureBurst * FailurePace)
		for range FailureBurst {
			if err := login(a, "AC1", "-", "", bad); !errors.Is(err, ErrUnauthorized) {
				t.Errorf("no credentials: %v", err)
			}
		}
		if err := login(a, "AC1", "AC1", "token", bad); err != nil {
			t.Errorf("requests without credentials were counted: %v", err)
		}
	})
}

// pass lets d go by in a synctest bubble.
func pass(d time.Duration) { <-time.After(d) }

func TestFailureTableIsBounded(t *testing.T) {
	var f failures
	now := time.Now()
	first := netip.MustParsePrefix("10.0.0.0/32")
	for range 5 {
		f.fail(first, now) // further from a clean slate than all the others
	}
	for i := range 3 * maxSources {
		f.fail(netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), 32), now)
	}
	if len(f.sources) > maxSources || f.dropped == 0 {
		t.Errorf("%d sources, %d dropped", len(f.sources), f.dropped)
	}
	if _, ok := f.sources[first]; !ok {
		t.Error("the worst source was forgotten first")
	}
	f.fail(netip.MustParsePrefix("12.0.0.0/32"), now.Add(time.Hour))
	if len(f.sources) != 1 {
		t.Errorf("%d sources after an hour, want the new one only", len(f.sources))
	}
	for range 100 {
		f.fail(first, now)
	}
	if w := f.wait(first, now); w > FailurePace {
		t.Errorf("waits %s, however often it failed it is at most %s", w, FailurePace)
	}
}

func TestSourceOf(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1/32", "[::ffff:192.0.2.1]:80": "192.0.2.1/32", "[2001:db8::1:2:3]:80": "2001:db8::/64",
		"[fe80::1%eth0]:80": "fe80::/64", "@": "invalid Prefix", "": "invalid Prefix", "x:1": "invalid Prefix",
	} {
		if got := fmt.Sprint(sourceOf(in)); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestEqualSecrets(t *testing.T) {
	if !EqualSecrets("a", "a") || EqualSecrets("a", "b") || EqualSecrets("", "") || EqualSecrets("a", "") {
		t.Error("EqualSecrets")
	}
}
