package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"callbox/api/apitest"
	"callbox/call"
	"callbox/storage/config"
)

// TestRefusalsByDialect holds what each dialect's status hook is told when a SIP
// peer refuses a call, or nobody answers: its word for the state and the SIP
// status, of created and of dialled calls. The sentence goes into the record,
// the call list, the trace and the log.
func TestRefusalsByDialect(t *testing.T) {
	acct := config.Account{ID: "AC00000000000000000000000000000001", Project: "11111111-2222-4333-8444-555555555555"}
	var a accounts
	a.snap.Store(&config.Snapshot{Accounts: []config.Account{acct}})
	d := newDialects(func() string { return "http://box.lan:8080" }, &a)
	names := []string{"twilio", "signalwire", "restcomm", "jambonz"}
	var b strings.Builder
	fmt.Fprintf(&b, "%-28s %-13s", "cause", "call")
	for _, n := range names {
		fmt.Fprintf(&b, " %-16s", n)
	}
	for _, c := range []call.Cause{
		call.FromSIP(302, call.Network, ""), call.FromSIP(400, call.Network, ""), call.FromSIP(401, call.Network, ""), call.FromSIP(403, call.Network, ""),
		call.FromSIP(404, call.Network, ""), call.FromSIP(407, call.Network, ""), call.FromSIP(408, call.Network, ""), call.FromSIP(410, call.Network, ""),
		call.FromSIP(415, call.Network, ""), call.FromSIP(433, call.Remote, ""), call.FromSIP(480, call.Remote, ""), call.FromSIP(482, call.Network, ""),
		call.FromSIP(484, call.Network, ""), call.FromSIP(486, call.Remote, ""), call.FromSIP(487, call.Network, ""), call.FromSIP(488, call.Network, ""),
		call.FromSIP(500, call.Network, ""), call.FromSIP(501, call.Network, ""), call.FromSIP(502, call.Network, ""), call.FromSIP(503, call.Network, ""),
		call.FromSIP(504, call.Network, ""), call.FromSIP(580, call.Network, ""), call.FromSIP(600, call.Remote, ""), call.FromSIP(603, call.Remote, ""),
		call.FromSIP(604, call.Network, ""), call.FromSIP(606, call.Network, ""), call.FromSIP(607, call.Remote, ""), call.FromSIP(608, call.Network, ""),
		call.FromSIP(487, call.API, ""),
		{Q850: call.Q850NoRoute, SIP: 503, Who: call.Box},               // no address for its name
		{Q850: call.Q850NetworkOutOfOrder, SIP: 503, Who: call.Network}, // no connection, or none that is safe
		{Q850: call.Q850NoAnswer, SIP: 487, Who: call.Box},              // it was let ring for long enough
	} {
		for _, direction := range []call.Direction{call.OutboundAPI, call.OutboundDial} {
			fmt.Fprintf(&b, "\n%-28s %-13s", fmt.Sprintf("SIP %d Q.850 %d %s", c.SIP, c.Q850, c.Who), direction)
			for _, n := range names {
				fmt.Fprintf(&b, " %-16s", refusalTold(t, d, n, acct.ID, c, direction))
			}
		}
	}
	var lines []string
	for l := range strings.SplitSeq(b.String(), "\n") {
		lines = append(lines, strings.TrimRight(l, " "))
	}
	apitest.Golden(t, "refusals.txt", strings.Join(lines, "\n")+"\n")
}

// refusalTold is the state and the SIP status in what a dialect tells last.
func refusalTold(t *testing.T, d dialects, name, acct string, c call.Cause, direction call.Direction) string {
	t.Helper()
	at := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	rec := call.Record{ID: "CA00000000000000000000000000000001", API: name, Account: acct, Direction: direction, From: "+14155550100", To: "+14155550123",
		State: c.Outcome(), Cause: &c, Created: at, Started: &at, Ended: &at, Line: "provider", SIPCallID: "1@box",
		Status: call.StatusHook{Hook: call.Hook{URL: "http://app.lan/status"}}}
	list := d.of(name).Callback(call.Event{Type: call.EventEnded, Record: &rec, At: at})
	if len(list) != 1 {
		t.Fatalf("%s tells %d messages of %+v", name, len(list), c)
	}
	if list[0].JSON != nil {
		var m struct {
			Status string `json:"call_status"`
			SIP    int    `json:"sip_status"`
			Reason string `json:"sip_reason"`
		}
		if err := json.Unmarshal(list[0].JSON, &m); err != nil || m.Reason == "" {
			t.Errorf("%+v: %s, %v", c, list[0].JSON, err)
		}
		return fmt.Sprint(m.Status, " ", m.SIP)
	}
	told := map[string]string{}
	for _, p := range list[0].Params {
		told[p.Name] = p.Value
	}
	return told["CallStatus"] + " " + told["SipResponseCode"]
}
