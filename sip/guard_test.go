package sip

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// manyUsers makes s take registrations of n users, named 301 and up.
func manyUsers(t testing.TB, s *Stack, n int) []string {
	t.Helper()
	var names []string
	for i := range n {
		name := strconv.Itoa(301 + i)
		remove, err := s.AddPeer(Peer{Name: "phone " + name, Username: name, Password: userPass + name, Register: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(remove)
		names = append(names, name)
	}
	return names
}

// tryRegister sends a REGISTER, answers the challenge with a password, and gives
// the status of the answer to that; 0 when either got none.
func (r *raw) tryRegister(user, password string) int {
	r.t.Helper()
	r.send(r.text("REGISTER", user, "reg"+user))
	first, ok := r.message(20 * testT1).(*gosip.Response)
	if !ok {
		return 0
	}
	if first.StatusCode != 401 {
		return first.StatusCode
	}
	uri := fmt.Sprintf("sip:%s@%s", user, r.to.Addr("udp"))
	r.send(r.text("REGISTER", user, "reg"+user, authorizationOf(r.t, challenge(r.t, first, "SHA-256"), user, "REGISTER", uri, password, 1)))
	second, ok := r.message(20 * testT1).(*gosip.Response)
	if !ok {
		return 0
	}
	return second.StatusCode
}

// TestUnknownUserIsLikeWrongPassword compares all that a scanner sees of a user
// that exists and one that does not.
func TestUnknownUserIsLikeWrongPassword(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	userPeer(t, s)
	random := regexp.MustCompile(`nonce="[^"]*"|tag=[0-9a-f]+|branch=\S+|[a-z]*port=\d+|127\.0\.0\.1:\d+`)
	seen := func(user string) string {
		var out strings.Builder
		note := func(m gosip.Message) {
			text := "silence"
			if m != nil {
				text = m.String()
			}
			out.WriteString(strings.ReplaceAll(random.ReplaceAllString(text, "X"), user, "USER") + "\n")
		}
		r := newRaw(t, s)
		for _, method := range []string{"OPTIONS", "SUBSCRIBE", "MESSAGE", "CANCEL", "BYE"} {
			r.send(r.text(method, user, "scan"+user))
			note(r.message(3 * testT1))
		}
		inv := r.invite(user, "inv"+user)
		for range 2 {
			r.send(inv)
			note(r.message(6 * testT1))
		}
		r.send(r.text("REGISTER", user, "reg"+user))
		res := r.message(patience)
		note(res)
		c := challenge(t, res.(*gosip.Response), "MD5")
		for _, method := range []string{"REGISTER", "MESSAGE", "OPTIONS"} {
			auth := authorizationOf(t, c, user, method, "sip:"+user+"@"+s.Addr("udp").String(), "guess", 1)
			r.send(r.text(method, user, "auth"+user, auth))
			note(r.message(patience))
		}
		made := strings.Replace(authorizationOf(t, c, user, "OPTIONS", "sip:x", "guess", 1), c.Nonce, "madeup", 1)
		r.send(r.text("OPTIONS", user, "made"+user, made))
		note(r.message(3 * testT1))
		for range failLimit - 2 {
			r.send(r.text("REGISTER", user, "reg"+user, authorizationOf(t, c, user, "REGISTER", "sip:"+user+"@"+s.Addr("udp").String(), "guess", 1)))
			note(r.message(20 * testT1))
		}
		return out.String()
	}
	known := seen("201")
	if unknown := seen("202"); unknown != known {
		t.Errorf("a user that exists:\n%s\none that does not:\n%s", known, unknown)
	}
	if strings.Count(known, "SIP/2.0 401") < 6 || strings.Count(known, "silence") < 8 {
		t.Errorf("a scanner sees:\n%s", known)
	}
	drained(t, s)
}

// TestGuesserAmongGoodPhones: a hundred phones behind one address register
// while somebody there guesses. The address is banned, and no phone notices.
func TestGuesserAmongGoodPhones(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	names := manyUsers(t, s, 101)
	var phones []*raw
	register := func(i int) {
		t.Helper()
		if got := phones[i].tryRegister(names[i], userPass+names[i]); got != 200 {
			t.Fatalf("phone %s got %d", names[i], got)
		}
	}
	for i := range 100 {
		phones = append(phones, newRaw(t, s))
		register(i)
	}
	if bans := s.Bans(); len(bans) != 0 {
		t.Fatalf("good phones are banned: %+v", bans)
	}
	eve := newRaw(t, s)
	victim := names[7]
	for range failLimit {
		if got := eve.tryRegister(victim, "guess"); got != 401 {
			t.Fatalf("a guess got %d", got)
		}
	}
	if got := eve.tryRegister(victim, userPass+victim); got != 0 {
		t.Errorf("the guesser hit the password and got %d", got)
	}
	for i := 0; len(s.Bans()) < 2 && i < 4*sourceLimit; i++ {
		eve.tryRegister("user"+strconv.Itoa(i), "guess")
	}
	bans := s.Bans()
	if len(bans) != 2 || bans[0].User != "" || bans[0].Addr.String() != "127.0.0.1" || bans[1].User != victim {
		t.Fatalf("bans %+v", bans)
	}
	if got := eve.tryRegister("user", "guess"); got != 0 {
		t.Errorf("a banned address got %d", got)
	}
	if got := eve.tryRegister(names[100], userPass+names[100]); got != 0 {
		t.Errorf("a user that never was at the banned address got %d", got)
	}
	for i := range phones { // the victim's as well, from where it is registered
		register(i)
	}
	moved := newRaw(t, s) // behind a NAT that has rebooted
	phones[8] = moved
	register(8)
}

// TestPhoneComesBackDuringItsBan: with a nonce it has answered right it may,
// even from another port, while others may not.
func TestPhoneComesBackDuringItsBan(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	userPeer(t, s)
	uri := "sip:201@" + s.Addr("udp").String()
	phone := newRaw(t, s)
	phone.send(phone.text("REGISTER", "201", "reg"))
	c := challenge(t, phone.response(401), "MD5")
	phone.send(phone.text("REGISTER", "201", "reg", authorization(t, c, "REGISTER", uri, userPass, 1)))
	phone.response(200)
	eve := newRaw(t, s)
	for range failLimit {
		eve.tryRegister("201", "guess")
	}
	if got := eve.tryRegister("201", userPass); got != 0 {
		t.Errorf("the guesser got %d", got)
	}
	moved := newRaw(t, s)
	moved.send(moved.text("REGISTER", "201", "reg2", authorization(t, c, "REGISTER", uri, userPass, 2)))
	moved.response(200)
}

// TestBudgetOfStrangers: a flood costs its sender all answers, and a phone at
// another port nothing.
func TestBudgetOfStrangers(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	userPeer(t, s)
	r := newRaw(t, s)
	phone := newRaw(t, s)
	if got := phone.tryRegister("201", userPass); got != 200 {
		t.Fatalf("the phone got %d", got)
	}
	answered, began := 0, time.Now()
	for i := range int(4 * budget) {
		r.send(r.text("REGISTER", strconv.Itoa(i), "flood"))
		if i%20 == 19 {
			for range 20 {
				if r.message(100*time.Millisecond) == nil {
					break
				}
				answered++
			}
		}
	}
	over := s.Counters().OverBudget
	// What a slow machine earns back meanwhile it is answered for.
	if most := 1.2*budget + budgetRate*time.Since(began).Seconds(); over == 0 || float64(answered) > most {
		t.Errorf("%d answers, at most %.0f may be; %d over the budget", answered, most, over)
	}
	if got := phone.tryRegister("201", userPass); got != 200 {
		t.Errorf("then the phone got %d", got)
	}
}

func TestGuardOverTime(t *testing.T) {
	t.Parallel()
	g := newGuard()
	now := time.Unix(1_700_000_000, 0)
	eve := failure{netip.MustParseAddr("2001:db8::1"), "alice"}
	ban := func() time.Duration {
		t.Helper()
		for i := range failLimit {
			if g.blocks(eve, now) {
				t.Fatalf("banned after %d wrong answers", i)
			}
			g.wrong(eve, now)
			now = now.Add(time.Second)
		}
		from := now
		for g.blocks(eve, now) {
			now = now.Add(time.Second)
		}
		return now.Sub(from)
	}
	first := ban()
	if first < pairFirst-2*time.Second || first > pairFirst {
		t.Errorf("the first ban took %s", first)
	}
	if second := ban(); second < 2*pairFirst-2*time.Second || second > 2*pairFirst {
		t.Errorf("the second ban took %s", second)
	}
	// The neighbour in the same /64 is the same, one in another is not.
	for i := range sourceLimit {
		g.wrong(failure{netip.MustParseAddr("2001:db8::2"), strconv.Itoa(i)}, now)
	}
	if !g.shut(netip.MustParseAddr("2001:db8::9:9"), now) || g.shut(netip.MustParseAddr("2001:db8:0:1::1"), now) {
		t.Error("a ban of IPv6 is not of a /64")
	}
	if g.shut(netip.MustParseAddr("2001:db8::9:9"), now.Add(sourceFirst)) {
		t.Error("the ban does not end")
	}
	// A phone with a wrong password is banned alone, however long it tries.
	slow := failure{netip.MustParseAddr("192.0.2.1"), "bob"}
	alone := false
	for range 50 * failLimit {
		if !g.blocks(slow, now) {
			g.wrong(slow, now)
		}
		now = now.Add(20 * time.Second)
		alone = alone || g.blocks(slow, now)
		if g.blocks(failure{slow.addr, "carol"}, now) {
			t.Fatal("its address is banned")
		}
	}
	if !alone {
		t.Error("it is not banned")
	}
}

func TestGuardIsBounded(t *testing.T) {
	t.Parallel()
	g := newGuard()
	now := time.Unix(1_700_000_000, 0)
	banned := failure{netip.MustParseAddr("192.0.2.1"), "alice"}
	for range failLimit {
		g.wrong(banned, now)
	}
	for i := range 3 * maxSources {
		now = now.Add(time.Millisecond)
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		g.spend(a, priceAsk, now)
		g.wrong(failure{a, "u" + strconv.Itoa(i)}, now)
		g.repeated(strconv.Itoa(i), now)
	}
	for i := range 2 * maxProven {
		g.right(failure{netip.MustParseAddr("192.0.2.2"), strconv.Itoa(i)}, now)
	}
	if len(g.sources) > maxSources || len(g.pairs) > maxBans || len(g.earlier) > maxEarlier || len(g.sources[netip.MustParseAddr("192.0.2.2")].proven) > maxProven {
		t.Errorf("%d addresses, %d pairs, %d INVITEs", len(g.sources), len(g.pairs), len(g.earlier))
	}
	if !g.blocks(banned, now) {
		t.Error("a ban made room for what is none")
	}
}

// TestManyCallsOfWhoNeverRegisters: a caller who proves himself in each call may make
// thousands in a row, over UDP too, where the first INVITE gets no answer and the
// second a challenge.
func TestManyCallsOfWhoNeverRegisters(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, n *memNet) {
		s, caller := n.stack(t), n.stack(t)
		in, _ := userPeer(t, s)
		const rounds, together = 40, 50
		began := time.Now()
		for round := range rounds {
			var calls []*Dialog
			for range together {
				d, err := caller.Invite(t.Context(), Invite{Target: uriOf(s, "00", "udp"), From: "201", SDP: []byte(sdpA), Auth: &Credentials{"201", userPass}})
				if err != nil {
					t.Fatal(err)
				}
				calls = append(calls, d)
			}
			for range together {
				in.take(t).Reject(486, Reason{Q850: 17})
			}
			for _, d := range calls {
				if ev := expectEnd(t, d); ev.Status != 486 {
					t.Fatalf("round %d: %+v", round, ev)
				}
			}
		}
		if took := time.Since(began) / rounds; took > 550*time.Millisecond { // T1, and nothing more
			t.Errorf("a call takes %v", took)
		}
	})
}
