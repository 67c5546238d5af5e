package sip

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

const userPass = "zanzibar 0"

// userPeer makes s take registrations and calls of user 201.
func userPeer(t testing.TB, s *Stack) (*inbox, chan []Binding) {
	t.Helper()
	in, changes := newInbox(), make(chan []Binding, 64)
	remove, err := s.AddPeer(Peer{Name: "phone", Username: "201", Password: userPass, Register: true,
		Invite: func(d *Dialog) { in.ch <- d }, Bindings: func(b []Binding) {
			select {
			case changes <- b:
			default: // a test that does not look
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remove)
	return in, changes
}

// challenge is one 401's challenge for an algorithm.
func challenge(t testing.TB, res *gosip.Response, algorithm string) *digest.Challenge {
	t.Helper()
	for _, h := range res.GetHeaders("WWW-Authenticate") {
		c, err := digest.ParseChallenge(h.Value())
		if err != nil {
			t.Fatal(err)
		}
		if c.Algorithm == algorithm {
			return c
		}
	}
	t.Fatalf("no %s challenge in %v", algorithm, res.GetHeaders("WWW-Authenticate"))
	return nil
}

// authorization answers a challenge.
func authorization(t testing.TB, c *digest.Challenge, method, uri, password string, count int) string {
	t.Helper()
	return authorizationOf(t, c, "201", method, uri, password, count)
}

// authorizationOf answers a challenge as any user.
func authorizationOf(t testing.TB, c *digest.Challenge, user, method, uri, password string, count int) string {
	t.Helper()
	cred, err := digest.Digest(c, digest.Options{Method: method, URI: uri, Username: user, Password: password, Count: count})
	if err != nil {
		t.Fatal(err)
	}
	return "Authorization: " + cred.String()
}

func TestRegisterDigest(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"MD5", "SHA-256"} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			s := startStack(t)
			_, changes := userPeer(t, s)
			r := newRaw(t, s)
			r.send(r.text("REGISTER", "201", "reg"))
			res := r.response(401)
			if n := len(res.GetHeaders("WWW-Authenticate")); n != 2 {
				t.Errorf("%d challenges", n)
			}
			c := challenge(t, res, alg)
			if c.Realm != "callbox" || !c.SupportsQOP("auth") || c.Stale {
				t.Errorf("challenge %+v", c)
			}
			uri := "sip:201@" + s.Addr("udp").String()
			r.send(r.text("REGISTER", "201", "reg", authorization(t, c, "REGISTER", uri, userPass, 1), "User-Agent: testphone", "Expires: 120"))
			res = r.response(200)
			if v := headerValue(res, "Contact"); !strings.Contains(v, "201@"+r.addr()) || !strings.Contains(v, "expires=120") {
				t.Errorf("contact %q", v)
			}
			bs := <-changes
			if len(bs) != 1 || bs[0].Source.String() != r.addr() || bs[0].UserAgent != "testphone" || bs[0].Transport != "udp" || bs[0].User != "201" ||
				time.Until(bs[0].Expires) > 121*time.Second || time.Until(bs[0].Expires) < 100*time.Second {
				t.Errorf("bindings %+v", bs)
			}
			// The same nonce with the next count is good, a replay is not.
			next := r.text("REGISTER", "201", "reg", authorization(t, c, "REGISTER", uri, userPass, 2))
			r.send(next)
			r.response(200)
			r.send(strings.Replace(next, "branch=z9hG4bK", "branch=z9hG4bKreplay", 1))
			if c := challenge(t, r.response(401), alg); !c.Stale {
				t.Error("the replayed count was not called stale")
			}
			// Wrong password, wrong URI, unknown nonce.
			r.send(r.text("REGISTER", "201", "reg", authorization(t, c, "REGISTER", uri, "wrong", 3)))
			if c := challenge(t, r.response(401), alg); c.Stale {
				t.Error("a wrong password was called stale")
			}
			r.send(r.text("REGISTER", "201", "reg", authorization(t, c, "REGISTER", "sip:202@biloxi.example", userPass, 4)))
			r.response(401)
			made := *c
			made.Nonce = strings.Repeat("A", 43)
			r.send(r.text("REGISTER", "201", "reg", authorization(t, &made, "REGISTER", uri, userPass, 1)))
			if c := challenge(t, r.response(401), alg); !c.Stale {
				t.Error("a foreign nonce should be stale")
			}
		})
	}
}

func TestNonceExpires(t *testing.T) {
	t.Parallel()
	s := startStack(t, func(c *Config) { c.NonceLife = 200 * time.Millisecond })
	userPeer(t, s)
	r := newRaw(t, s)
	uri := "sip:201@" + s.Addr("udp").String()
	r.send(r.text("REGISTER", "201", "reg"))
	c := challenge(t, r.response(401), "MD5")
	count := 0
	eventually(t, "the nonce is stale", func() bool {
		count++
		r.send(r.text("REGISTER", "201", "reg", authorization(t, c, "REGISTER", uri, userPass, count)))
		res, ok := r.message(patience).(*gosip.Response)
		if !ok {
			t.Fatal("no response")
		}
		return res.StatusCode == 401 && challenge(t, res, "MD5").Stale
	})
}

// register makes a registration with r and gives the response.
func register(t testing.TB, r *raw, callID string, status int, extra ...string) *gosip.Response {
	t.Helper()
	r.send(r.text("REGISTER", "201", callID))
	c := challenge(t, r.response(401), "MD5")
	uri := "sip:201@" + r.to.Addr("udp").String()
	r.send(r.text("REGISTER", "201", callID, append(extra, authorization(t, c, "REGISTER", uri, userPass, 1))...))
	return r.response(status)
}

func TestSeveralContactsAndUnregister(t *testing.T) {
	t.Parallel()
	s := startStack(t, func(c *Config) { c.MinExpires = 30 * time.Second })
	_, changes := userPeer(t, s)
	one, two := newRaw(t, s), newRaw(t, s)
	register(t, one, "one", 200, "Expires: 600")
	res := register(t, two, "two", 200, "Expires: 7200")
	if n := len(contactsOf(res)); n != 2 {
		t.Errorf("%d contacts", n)
	}
	if !strings.Contains(fmt.Sprint(res.GetHeaders("Contact")), "expires=3600") {
		t.Errorf("a long wish was not cut: %v", res.GetHeaders("Contact"))
	}
	eventually(t, "two bindings told", func() bool { return len(<-changes) == 2 })
	if bs := s.Bindings("201"); len(bs) != 2 || bs[0].Source.String() != two.addr() {
		t.Errorf("bindings %+v", bs)
	}
	// Too short, as header and as parameter.
	if res := register(t, one, "one", 423, "Expires: 5"); headerValue(res, "Min-Expires") != "30" {
		t.Errorf("Min-Expires %q", headerValue(res, "Min-Expires"))
	}
	// A query changes nothing.
	if n := len(s.Bindings("201")); n != 2 {
		t.Errorf("%d bindings after a refusal", n)
	}
	register(t, one, "one", 200, "Expires: 0")
	eventually(t, "one binding told", func() bool { return len(<-changes) == 1 })
	if bs := s.Bindings("201"); len(bs) != 1 || bs[0].Source.String() != two.addr() {
		t.Errorf("bindings after unregister %+v", bs)
	}
	if s.Bindings("nobody") != nil {
		t.Error("bindings of nobody")
	}
}

func TestUnregisterAll(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	userPeer(t, s)
	one, two := newRaw(t, s), newRaw(t, s)
	register(t, one, "one", 200)
	register(t, two, "two", 200)
	star := func(extra string, status int) {
		t.Helper()
		one.send(one.text("REGISTER", "201", "star"))
		c := challenge(t, one.response(401), "MD5")
		text := one.text("REGISTER", "201", "star", extra, authorization(t, c, "REGISTER", "sip:201@"+s.Addr("udp").String(), userPass, 1))
		one.send(strings.Replace(text, "Contact: <sip:201@"+one.addr()+">", "Contact: *", 1))
		one.response(status)
	}
	star("Expires: 60", 400)
	star("X-None: 1", 400)
	if n := len(s.Bindings("201")); n != 2 {
		t.Fatalf("%d bindings", n)
	}
	star("Expires: 0", 200)
	if n := len(s.Bindings("201")); n != 0 {
		t.Fatalf("%d bindings after *", n)
	}
}

func TestBindingExpires(t *testing.T) {
	t.Parallel()
	s := startStack(t, func(c *Config) { c.MinExpires = time.Second })
	_, changes := userPeer(t, s)
	register(t, newRaw(t, s), "one", 200, "Expires: 1")
	if n := len(<-changes); n != 1 {
		t.Fatalf("%d bindings", n)
	}
	select {
	case bs := <-changes:
		if len(bs) != 0 {
			t.Errorf("bindings %+v", bs)
		}
	case <-time.After(patience):
		t.Fatal("the binding did not expire")
	}
}

// TestOldRegisterLoses repeats a REGISTER with a lower CSeq (RFC 3261 §10.3).
func TestOldRegisterLoses(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	userPeer(t, s)
	r := newRaw(t, s)
	register(t, r, "one", 200)
	r.seq = 0
	register(t, r, "one", 500, "Expires: 0")
	if len(s.Bindings("201")) != 1 {
		t.Error("an old request removed the binding")
	}
}

func TestTooManyContacts(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	userPeer(t, s)
	r := newRaw(t, s)
	var contacts []string
	for i := range maxBindings + 1 {
		contacts = append(contacts, fmt.Sprintf("Contact: <sip:201@127.0.0.1:%d>", 20000+i))
	}
	register(t, r, "many", 503, contacts...)
	if n := len(s.Bindings("201")); n != 0 {
		t.Errorf("%d bindings: half a request was applied", n)
	}
}

// TestBindingsOfAllAreBounded: when there is no room for one more phone, those that
// are there stay, and one that leaves makes room.
func TestBindingsOfAllAreBounded(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	userPeer(t, s)
	s.bound.Add(maxAllBindings - 1) // of users elsewhere
	one, two := newRaw(t, s), newRaw(t, s)
	register(t, one, "one", 200)
	register(t, two, "two", 503)
	register(t, one, "one", 200)
	if bs := s.Bindings("201"); len(bs) != 1 || bs[0].Source.String() != one.addr() {
		t.Errorf("bindings %+v", bs)
	}
	register(t, one, "one", 200, "Expires: 0")
	register(t, two, "two", 200)
	if bs := s.Bindings("201"); len(bs) != 1 || bs[0].Source.String() != two.addr() {
		t.Errorf("bindings %+v", bs)
	}
	if n := s.bound.Load(); n != maxAllBindings {
		t.Errorf("%d bindings are counted", n)
	}
}

// TestRebootedPhoneReplacesItsBinding has a new Call-ID and port but the same
// +sip.instance.
func TestRebootedPhoneReplacesItsBinding(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	userPeer(t, s)
	for i, r := range []*raw{newRaw(t, s), newRaw(t, s)} {
		callID := fmt.Sprint("boot", i)
		r.send(r.text("REGISTER", "201", callID))
		c := challenge(t, r.response(401), "MD5")
		text := r.text("REGISTER", "201", callID, authorization(t, c, "REGISTER", "sip:201@"+s.Addr("udp").String(), userPass, 1))
		r.send(strings.Replace(text, "Contact: <sip:201@"+r.addr()+">", "Contact: <sip:201@"+r.addr()+`>;+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"`, 1))
		r.response(200)
	}
	if bs := s.Bindings("201"); len(bs) != 1 {
		t.Errorf("bindings %+v", bs)
	}
}

// TestCallFollowsItsPhone: the NAT of a phone in a call gives it another port. What
// the box asks of it in the call goes to where it has registered since.
func TestCallFollowsItsPhone(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	_, changes := userPeer(t, s)
	before, after := newRaw(t, s), newRaw(t, s)
	before.claims, after.claims = "192.168.7.10:5060", "192.168.7.10:5060"
	register(t, before, "reg", 200)
	b := (<-changes)[0]
	d, err := s.Invite(t.Context(), Invite{Binding: &b, From: "00", SDP: []byte(sdpA)})
	if err != nil {
		t.Fatal(err)
	}
	before.answer(before.request("INVITE"), 200, "tag", "", sdpB)
	before.request("ACK")
	expect(t, d, Answered)
	after.seq, after.n = before.seq, before.n
	register(t, after, "reg", 200)
	if b := (<-changes)[0]; b.Source.String() != after.pc.LocalAddr().String() {
		t.Fatalf("registered from %s", b.Source)
	}
	d.Hangup(Reason{})
	after.answer(after.request("BYE"), 200, "", "", "")
	expectEnd(t, d)
	drained(t, s)
}

func TestForeignAddressOfRecord(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	userPeer(t, s)
	if _, err := s.AddPeer(Peer{Name: "other", Username: "202", Password: "x", Register: true}); err != nil {
		t.Fatal(err)
	}
	r := newRaw(t, s)
	r.send(r.text("REGISTER", "201", "reg"))
	c := challenge(t, r.response(401), "MD5")
	text := r.text("REGISTER", "202", "reg", authorization(t, c, "REGISTER", "sip:202@"+s.Addr("udp").String(), userPass, 1))
	r.send(text)
	r.response(403)
	if len(s.Bindings("202")) != 0 {
		t.Error("201 registered as 202")
	}
}

// TestGuessingEarnsSilence gives ten wrong passwords.
func TestGuessingEarnsSilence(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	s := startStack(t, func(c *Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	userPeer(t, s)
	r := newRaw(t, s)
	uri := "sip:201@" + s.Addr("udp").String()
	r.send(r.text("REGISTER", "201", "reg"))
	c := challenge(t, r.response(401), "MD5")
	var auth string
	for range failLimit {
		auth = authorization(t, c, "REGISTER", uri, "wrong password", 1)
		r.send(r.text("REGISTER", "201", "reg", auth))
		r.response(401)
	}
	r.send(r.text("REGISTER", "201", "reg", authorization(t, c, "REGISTER", uri, userPass, 2)))
	r.silent()
	eventually(t, "the ban keeps a request away", func() bool { bans := s.Bans(); return len(bans) == 1 && bans[0].Dropped == 1 })
	if c := s.Counters(); c.AuthFailures != failLimit || c.Bans != 1 {
		t.Errorf("%d failures, %d bans counted", c.AuthFailures, c.Bans)
	}
	if bans := s.Bans(); len(bans) != 1 || bans[0].User != "201" || bans[0].Addr.String() != "127.0.0.1" || bans[0].Failures != failLimit || bans[0].Dropped != 1 {
		t.Errorf("bans %+v", bans)
	}
	if !strings.Contains(log.String(), "banned from SIP") {
		t.Error("the log says nothing of the ban")
	}
	if n := s.Unban(netip.MustParseAddr("127.0.0.1")); n != 1 || len(s.Bans()) != 0 {
		t.Errorf("%d bans were lifted, left %+v", n, s.Bans())
	}
	r.send(r.text("REGISTER", "201", "reg", authorization(t, c, "REGISTER", uri, userPass, 3)))
	r.response(200)
	for _, secret := range []string{userPass, c.Nonce, "response="} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// TestPhonesThatCannotChoose get only MD5: by name, and by having ignored challenges.
func TestPhonesThatCannotChoose(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	userPeer(t, s)
	r := newRaw(t, s)
	r.send(r.text("REGISTER", "201", "reg", "User-Agent: baresip v1.0.0 (x86_64/linux)"))
	if n := len(r.response(401).GetHeaders("WWW-Authenticate")); n != 1 {
		t.Errorf("baresip got %d challenges", n)
	}
	for i, want := range []int{2, 1, 1} { // the one above was ignored as well
		r.send(r.text("REGISTER", "201", fmt.Sprint("reg", i)))
		if n := len(r.response(401).GetHeaders("WWW-Authenticate")); n != want {
			t.Errorf("try %d: %d challenges, want %d", i, n, want)
		}
	}
}

// TestInviteOfUserIsChallenged takes a call of a user who proves himself, and
// places one to where he is registered.
func TestInviteOfUserIsChallenged(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	in, changes := userPeer(t, s)
	phone := startStack(t)
	atPhone := trunkPeer(t, phone)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	left := make(chan error, 1)
	go func() {
		left <- phone.Register(ctx, RegistrationConfig{AOR: "sip:201@" + s.Addr("udp").String(), Auth: Credentials{"201", userPass}})
	}()
	b := (<-changes)[0]
	out, err := phone.Invite(ctx, Invite{Target: uriOf(s, "00", "udp"), From: "201", Auth: &Credentials{"201", userPass}, SDP: []byte(sdpA)})
	if err != nil {
		t.Fatal(err)
	}
	arrived := in.take(t)
	if got := arrived.Info(); got.Peer != "phone" || got.To != "00" || got.From != "201" {
		t.Errorf("info %+v", got)
	}
	if err := arrived.Answer([]byte(sdpB)); err != nil {
		t.Fatal(err)
	}
	expect(t, out, Answered)
	arrived.Hangup(Reason{})
	expectEnd(t, out)

	wrong, err := phone.Invite(ctx, Invite{Target: uriOf(s, "00", "udp"), From: "201", Auth: &Credentials{"201", "wrong"}})
	if err != nil {
		t.Fatal(err)
	}
	if ev := expectEnd(t, wrong); ev.Status != 401 || ev.By != ByRemote {
		t.Errorf("wrong password: %+v", ev)
	}

	back, err := s.Invite(ctx, Invite{Binding: &b, From: "00", SDP: []byte(sdpA)})
	if err != nil {
		t.Fatal(err)
	}
	rung := atPhone.take(t)
	if !strings.HasPrefix(rung.Info().RequestURI, "sip:201@127.0.0.1") {
		t.Errorf("request URI %q", rung.Info().RequestURI)
	}
	rung.Reject(486, Reason{Q850: 17})
	if ev := expectEnd(t, back); ev.Status != 486 {
		t.Errorf("busy: %+v", ev)
	}
	cancel()
	if err := <-left; err != nil {
		t.Error(err)
	}
	eventually(t, "unregistered", func() bool { return len(s.Bindings("201")) == 0 })
}
