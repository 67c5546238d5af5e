//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// withProof is an INVITE of the calling SIPp again, with what its challenge asked for.
func withProof(invite, user, password string) string {
	return strings.Replace(strings.Replace(invite, "CSeq: 1 ", "CSeq: 2 ", 1), "Max-Forwards",
		"[authentication username="+user+" password="+password+"]\nMax-Forwards", 1)
}

// knows makes a request that of a phone which is challenged by MD5 alone: SIPp takes the
// first challenge, and knows no other algorithm.
func knows(step string) string {
	return strings.ReplaceAll(step, "Max-Forwards", "User-Agent: baresip v1.0.0\nMax-Forwards")
}

// proven is a call of SIPp up to the answer to its proof.
func proven(user, password string) string {
	return knows(invite) + optional(100) + `<recv response="401" auth="true"></recv>` + "\n" + callerRequest("ACK", 1, "[branch-3]") +
		withProof(knows(invite), user, password) + provisionals
}

// TestTrunkProves: a branch office that nobody has an address of registers with the
// trunk's name and password, is called where it has registered, and proves its calls;
// of each direction it has one channel, whatever goes on in the other. A trunk with an
// address proves its calls as well when it has a name to prove, and one with a proxy is
// called there.
func TestTrunkProves(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.doc("/in", `<Response><Play>/nothing.wav</Play><Pause length="60"/></Response>`)
	a.doc("/voice", `<Response><Pause length="60"/></Response>`)
	g := startGateway(t, "")
	const password, office, proxy = "b1r2a3n4c5h6", "127.0.0.36", "127.0.0.37"
	port, proxyPort := freePorts(t, 1), freePorts(t, 1)
	g.configure(fmt.Sprintf(`
trunks:
- {name: branch, inbound_username: branch, inbound_password: %[1]s, max_inbound: 1, max_outbound: 1}
- {name: office, host: %[2]s, inbound_username: office, inbound_password: %[1]s}
- {name: carrier, host: 127.0.0.38, proxy: "sip:%[3]s:%[4]d"}
routes:
- {name: branch, prefix: "+1312", lines: [branch]}
- {name: carrier, prefix: "+1313", lines: [carrier]}
applications:
- {id: AP%[5]s1, account: %[6]s, name: in, script: {main: {url: %[7]s/in}, fallback: {}}}
numbers:
- {number: "*", line: branch, application: AP%[5]s1}
- {number: "*", line: office, application: AP%[5]s1}
`, password, office, proxy, proxyPort, strings.Repeat("0", 31), g.account, a.URL))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	call := func(to string) string {
		return g.create(url.Values{"To": {to}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	}
	over := func(sid string) {
		g.post("/Calls/"+sid+".json", url.Values{"Status": {"completed"}})
		g.until(sid, "completed")
	}
	calls := func(at place, steps string) *sipp {
		return at.startSIPp(t, freePorts(t, 1), 1, steps, "-auth_uri", "+14155550100@"+g.sip, g.sip)
	}
	up := expect(200) + callerRequest("ACK", 2, "[branch]")
	refused := func(status int) string { return expect(status) + callerRequest("ACK", 2, "[branch-5]") }

	as := strings.NewReplacer("sip:alice@", "sip:branch@", "username=alice", "username=branch", "a1l2i3c4e5", password)
	before := call("+13125550123")
	g.until(before, "failed")
	g.ends(before, "trunk branch is down: the far end is not registered")
	startSIPp(t, port, 1, as.Replace(asks("REGISTER", "branch", 1, "Expires: 600")), "-auth_uri", g.sip, g.sip).succeeds(ctx)
	if ready, text := g.status("branch"); !ready || !strings.Contains(text, fmt.Sprintf("registered from 127.0.0.1:%d", port)) {
		t.Errorf("branch: %v %s", ready, text)
	}
	called := startSIPp(t, port, 1, checks(recv("INVITE"), fmt.Sprintf("INVITE sip:[+]13125550123@127.0.0.1:%d", port))+established+hungUp)
	out := call("+13125550123")
	g.until(out, "in-progress")
	full := call("+13125550124")
	g.until(full, "failed")
	g.ends(full, "all 1 channels for outgoing calls of trunk branch are in use")
	caller := calls(place{}, proven("branch", password)+up+recv("BYE")+replyInDialog("200 OK", ""))
	a.until("/in", 1)
	calls(place{}, proven("branch", password)+refused(503)).succeeds(ctx)
	in := fmt.Sprint(a.requests("/in")[0].form.Get("CallSid"))
	g.until(in, "in-progress")
	over(in)
	over(out)
	caller.succeeds(ctx)
	called.succeeds(ctx)

	calls(place{addr: office}, proven("office", "another one")+refused(401)).succeeds(ctx)
	calls(place{addr: office}, proven("office", password)+up+leaves(3)).succeeds(ctx)

	hop := place{addr: proxy}.startSIPp(t, proxyPort, 1, checks(recv("INVITE"), "INVITE sip:[+]13135550123@127.0.0.38 ")+established+hungUp)
	by := call("+13135550123")
	g.until(by, "in-progress")
	over(by)
	hop.succeeds(ctx)
	g.idle()
}
