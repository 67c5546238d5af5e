package sipleg

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callbox/call"
	"callbox/sip"
)

var update = flag.Bool("update", false, "rewrite the golden files of testdata")

var (
	toUser  = ending{line: "user 201", party: "user 201", kind: call.User}
	toTrunk = ending{line: "trunk provider", party: "+15550100 on trunk provider", kind: call.Trunk}
)

func answered(n ending) ending { n.answered = true; return n }
func inbound(n ending) ending  { n.inbound = true; return n }

func TestCause(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		n    ending
		e    sip.DialogEvent
		want call.Cause
		out  call.State
	}{
		{"user busy", toUser, sip.DialogEvent{Status: 486, Text: "Busy Here", By: sip.ByRemote},
			call.Cause{Q850: 17, SIP: 486, Who: call.Remote, Text: "user 201 is busy (SIP 486 Busy Here)"}, call.Busy},
		{"user declines", toUser, sip.DialogEvent{Status: 603, Text: "Decline", By: sip.ByRemote},
			call.Cause{Q850: 21, SIP: 603, Who: call.Remote, Text: "user 201 declined the call (SIP 603 Decline)"}, call.Busy},
		{"number busy with its own cause", toTrunk, sip.DialogEvent{Status: 486, Text: "Busy Here", By: sip.ByRemote, Reason: sip.Reason{Q850: 17, Text: "User busy"}},
			call.Cause{Q850: 17, SIP: 486, Who: call.Remote, Text: "+15550100 on trunk provider is busy (SIP 486 Busy Here; Q.850 17: User busy)"}, call.Busy},
		{"a provider's 500 that is an unknown number", toTrunk, sip.DialogEvent{Status: 500, Text: "Server Error", By: sip.ByRemote, Reason: sip.Reason{Q850: 1}},
			call.Cause{Q850: 1, SIP: 500, Who: call.Network, Text: "trunk provider failed (SIP 500 Server Error; Q.850 1)"}, call.Failed},
		{"wrong password", toTrunk, sip.DialogEvent{Status: 407, Text: "Proxy Authentication Required", By: sip.ByRemote},
			call.Cause{Q850: 21, SIP: 407, Who: call.Network, Text: "trunk provider refused our user name or password (SIP 407 Proxy Authentication Required)"}, call.Failed},
		{"an odd status", toTrunk, sip.DialogEvent{Status: 499, By: sip.ByRemote},
			call.Cause{Q850: 127, SIP: 499, Who: call.Network, Text: "trunk provider ended the attempt (SIP 499)"}, call.Failed},
		{"a warning", toTrunk, sip.DialogEvent{Status: 488, Text: "Not Acceptable Here", By: sip.ByRemote, Warning: "305 no common codec"},
			call.Cause{Q850: 88, SIP: 488, Who: call.Network, Text: "trunk provider can do none of our codecs (SIP 488 Not Acceptable Here; 305 no common codec)"}, call.Failed},
		{"a reason and a warning", toTrunk, sip.DialogEvent{Status: 503, Text: "Service Unavailable", By: sip.ByRemote, Reason: sip.Reason{Q850: 34, Text: "No circuit"}, Warning: "399 come back\r\nat noon"},
			call.Cause{Q850: 34, SIP: 503, Who: call.Network, Text: "trunk provider is overloaded or out of service (SIP 503 Service Unavailable; Q.850 34: No circuit; 399 come backat noon)"}, call.Failed},
		{"no response", toTrunk, sip.DialogEvent{Status: 408, Text: "no response in 32 s", By: sip.ByNetwork},
			call.Cause{Q850: 102, SIP: 408, Who: call.Network, Text: "trunk provider cannot be reached (no response in 32 s)"}, call.NoAnswer},
		{"an answer without sound", toTrunk, sip.DialogEvent{Status: 488, Text: "the answer has no session description", By: sip.ByLocal},
			call.Cause{Q850: 88, SIP: 488, Who: call.Box, Text: "the call to +15550100 on trunk provider cannot go on (SIP 488 the answer has no session description)"}, call.Failed},
		{"far end hangs up", answered(toUser), sip.DialogEvent{Status: 200, By: sip.ByRemote},
			call.Cause{Q850: 16, SIP: 200, Who: call.Remote, Text: "user 201 hung up"}, call.NoAnswer},
		{"far end hangs up with a cause", answered(toTrunk), sip.DialogEvent{Status: 200, By: sip.ByRemote, Reason: sip.Reason{Q850: 41, Text: "Temporary failure"}},
			call.Cause{Q850: 41, SIP: 200, Who: call.Remote, Text: "+15550100 on trunk provider hung up (Q.850 41: Temporary failure)"}, call.Failed},
		{"connection lost", answered(toUser), sip.DialogEvent{Status: 503, Text: "connection reset", By: sip.ByNetwork},
			call.Cause{Q850: 41, SIP: 503, Who: call.Network, Text: "the connection to user 201 was lost (connection reset)"}, call.Failed},
		{"caller gives up", inbound(toUser), sip.DialogEvent{Status: 487, By: sip.ByRemote},
			call.Cause{Q850: 16, SIP: 487, Who: call.Remote, Text: "the caller gave up"}, call.NoAnswer},
		{"answered elsewhere", inbound(toTrunk), sip.DialogEvent{Status: 487, By: sip.ByRemote, Reason: sip.Reason{SIP: 200, Text: "Call completed elsewhere"}},
			call.Cause{Q850: 16, SIP: 487, Who: call.Remote, Text: "the call was answered elsewhere"}, call.NoAnswer},
		{"caller's network fails", inbound(toTrunk), sip.DialogEvent{Status: 503, By: sip.ByNetwork, Text: "connection lost"},
			call.Cause{Q850: 41, SIP: 503, Who: call.Network, Text: "the connection to the caller on trunk provider was lost (connection lost)"}, call.Failed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := tt.n.cause(&tt.e)
			if got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
			if o := got.Outcome(); o != tt.out {
				t.Errorf("outcome %v, want %v", o, tt.out)
			}
		})
	}
}

// TestRefusals holds what becomes of every final status that an INVITE can get
// (IANA, Session Initiation Protocol Parameters): on a trunk, then at a user. A
// line is the status, the Q.850 value, who, the call's state, and the sentence.
func TestRefusals(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, status := range []int{
		300, 301, 302, 305, 380,
		400, 401, 402, 403, 404, 405, 406, 407, 408, 410, 413, 414, 415, 416, 420, 421, 422, 423, 428, 429, 430, 433, 436, 437, 438,
		480, 481, 482, 483, 484, 485, 486, 487, 488, 491, 493, 494, 500, 501, 502, 503, 504, 505, 513, 555, 580, 600, 603, 604, 606, 607, 608,
	} {
		for _, n := range []ending{toTrunk, toUser} {
			c := n.cause(&sip.DialogEvent{Status: status, By: sip.ByRemote})
			fmt.Fprintf(&b, "%d  %3d  %-7s  %-9s  %s\n", c.SIP, c.Q850, c.Who, c.Outcome(), c.Text)
		}
	}
	path := filepath.Join("testdata", "refusals.txt")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
}

// TestCauseOfEveryStatus: whatever the status, there is a cause with a sentence.
func TestCauseOfEveryStatus(t *testing.T) {
	t.Parallel()
	for status := 300; status < 700; status++ {
		for _, n := range []ending{toUser, toTrunk, answered(toUser), inbound(toTrunk)} {
			for _, by := range []sip.By{sip.ByRemote, sip.ByNetwork} {
				c := n.cause(&sip.DialogEvent{Status: status, By: by, Text: "x\r\ny"})
				if c.Q850 < 1 || c.Q850 > 127 || c.Who == call.Nobody || c.Text == "" || strings.ContainsAny(c.Text, "\r\n") {
					t.Fatalf("status %d of %+v by %s: %+v", status, n, by, c)
				}
			}
		}
	}
}

func TestReason(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 300)
	for _, tt := range []struct {
		c    call.Cause
		want sip.Reason
	}{
		{call.Cause{Q850: 17, SIP: 486, Text: "rejected as busy"}, sip.Reason{Q850: 17, SIP: 486, Text: "rejected as busy"}},
		{call.Cause{Q850: 16, SIP: 200, Text: " a\r\nb "}, sip.Reason{Q850: 16, Text: "ab"}},
		{call.Cause{Q850: 16, Text: long}, sip.Reason{Q850: 16, Text: long[:2*maxText]}},
	} {
		if got := reason(tt.c); got != tt.want {
			t.Errorf("reason(%+v) = %+v, want %+v", tt.c, got, tt.want)
		}
	}
}

func TestRank(t *testing.T) {
	t.Parallel()
	lost := call.Cause{Q850: 102, SIP: 408, Who: call.Network}
	broken := call.Cause{Q850: 41, SIP: 500, Who: call.Remote}
	busy := call.FromSIP(486, call.Remote, "")
	away := call.FromSIP(480, call.Remote, "")
	if rank(lost) >= rank(busy) || rank(broken) >= rank(busy) || rank(busy) >= rank(away) {
		t.Errorf("ranks: lost %d, broken %d, busy %d, away %d", rank(lost), rank(broken), rank(busy), rank(away))
	}
}

func TestMasked(t *testing.T) {
	t.Parallel()
	if masked("201") != "201" || masked("+15550100") != "+15…00" {
		t.Errorf("masked: %q, %q", masked("201"), masked("+15550100"))
	}
}

// TestNotPlaced: whether a connection fails before or after an INVITE was given to it
// is a matter of microseconds, and no matter to who reads the cause.
func TestNotPlaced(t *testing.T) {
	t.Parallel()
	early := notPlaced(Config{Title: "trunk provider"}, fmt.Errorf("%w: 192.0.2.7:5060: connection refused", sip.ErrTransport))
	if want := "trunk provider cannot be reached (192.0.2.7:5060: connection refused)"; early.Text != want || early.SIP != 503 || early.Who != call.Network {
		t.Errorf("%+v, want %q", early, want)
	}
}
