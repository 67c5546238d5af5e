package main

import (
	"testing"

	"callbox/api/twilio"
	"callbox/call"
	"callbox/call/script"
	"callbox/storage/config"
)

// TestTransferTarget: a transfer goes where its target would if who wants it had
// dialled it.
func TestTransferTarget(t *testing.T) {
	snap := office()
	p := &inbound{api: twilio.Name}
	p.snap.Store(&snap)
	desk := call.LegInfo{Line: "bob", Kind: call.User} // whose own calls run an application
	for name, tc := range map[string]struct {
		by     call.LegInfo
		to     call.Transfer
		app    string
		target string
		kind   script.TargetKind
		refuse int
	}{
		"an extension":                 {by: desk, to: call.Transfer{To: "201", URI: "sip:201@box.example"}, target: "201"},
		"a name":                       {by: desk, to: call.Transfer{To: "alice", URI: "sip:alice@box.example"}, target: "alice"},
		"a number outside":             {by: desk, to: call.Transfer{To: "+14155550199", URI: "sip:+14155550199@box.example"}, target: "+14155550199"},
		"an address without user":      {by: desk, to: call.Transfer{URI: "sip:biloxi.example"}, target: "sip:biloxi.example", kind: script.ToSIP},
		"a number with an application": {by: desk, to: call.Transfer{To: "+14155550100", URI: "sip:+14155550100@box.example"}, app: "AP1"},
		"a number with a target":       {by: desk, to: call.Transfer{To: "4155550101", URI: "sip:4155550101@box.example"}, target: "alice"},
		"a number of another line":     {by: desk, to: call.Transfer{To: "+14155550117"}, target: "+14155550117"},
		"a number of its line":         {by: call.LegInfo{Line: "provider", Kind: call.Trunk}, to: call.Transfer{To: "+14155550117"}, target: "sip:dave@192.0.2.9", kind: script.ToSIP},
		"an application that is gone":  {by: desk, to: call.Transfer{To: "+14155550102"}, refuse: 500},
	} {
		t.Run(name, func(t *testing.T) {
			plan := p.Target(tc.by, &tc.to)
			switch {
			case tc.refuse != 0:
				if plan.Refuse == nil || plan.Refuse.SIP != tc.refuse {
					t.Errorf("refused with %+v", plan.Refuse)
				}
			case tc.app != "":
				if plan.Application != tc.app || plan.Script.IsZero() || plan.Refuse != nil {
					t.Errorf("plan %+v", plan)
				}
			default:
				if plan.Document == nil || plan.Refuse != nil {
					t.Fatalf("plan %+v", plan)
				}
				got := plan.Document.Verbs[0].(*script.DialVerb).Dial.Targets[0]
				if got.To != tc.target || got.Kind != tc.kind {
					t.Errorf("target %+v", got)
				}
			}
		})
	}
}

// TestReplacePolicy: who may take whose place.
func TestReplacePolicy(t *testing.T) {
	snap := office()
	snap.Accounts = append(snap.Accounts, config.Account{ID: "AC2", Name: "shop", Token: "u"})
	snap.Users = append(snap.Users, config.User{Name: "carol", Password: "p", Account: "AC2"}, config.User{Name: "dave", Password: "p", Account: "AC1"})
	snap.Trunks = append(snap.Trunks, config.Trunk{Name: "pbx", Host: "192.0.2.7", Transfers: true})
	p := &inbound{}
	p.snap.Store(&snap)
	line := func(kind call.Kind, name string) call.LegInfo { return call.LegInfo{Kind: kind, Line: name} }
	alice, dave, carol, reception := line(call.User, "alice"), line(call.User, "dave"), line(call.User, "carol"), line(call.FXS, "fxs1")
	provider, pbx := line(call.Trunk, "provider"), line(call.Trunk, "pbx")
	for name, tc := range map[string]struct {
		by, of   call.LegInfo
		answered bool
		may      bool
	}{
		"its own, answered":            {alice, alice, true, true},
		"its own, ringing":             {alice, alice, false, true},
		"a colleague's, ringing":       {alice, dave, false, true},
		"a colleague's, answered":      {alice, dave, true, false},
		"another account's, ringing":   {carol, alice, false, false},
		"an analogue phone's, ringing": {alice, reception, false, true},
		"by another account":           {carol, reception, false, false},
		"a trunk's":                    {alice, provider, false, false},
		"a trunk that may":             {pbx, pbx, true, true},
		"a trunk, of another":          {pbx, provider, true, false},
		"a trunk, of a phone":          {pbx, alice, false, false},
		"a trunk that may not":         {provider, provider, true, false},
		"an analogue phone":            {reception, alice, false, false},
	} {
		if err := p.Replace(tc.by, tc.of, tc.answered); (err == nil) != tc.may {
			t.Errorf("%s: %v", name, err)
		} else if err != nil && call.CauseOf(err).SIP != 403 {
			t.Errorf("%s: refused with %+v", name, call.CauseOf(err))
		}
	}
}
