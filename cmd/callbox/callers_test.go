package main

import (
	"strings"
	"testing"

	"callbox/storage/config"
)

func TestMayShow(t *testing.T) {
	t.Parallel()
	base := config.Snapshot{
		Country:  "US",
		Accounts: []config.Account{{ID: "AC1"}, {ID: "AC2"}},
		Trunks:   []config.Trunk{{Name: "provider", FromUser: "4155550109"}, {Name: "pbx", FromUser: "gateway"}},
		Users:    []config.User{{Name: "bob", Number: "+14155550111"}, {Name: "carol"}},
		Phones:   []config.Phone{{Port: "fxs1", Number: "202"}},
		Routes: []config.Route{{Name: "emergency", Pattern: "911", Lines: []string{"provider"}, Emergency: true},
			{Name: "inside", Prefix: "3", Lines: []string{"fxs1", "bob"}}, {Name: "out", Prefix: "+1", Lines: []string{"provider"}}},
	}
	for name, tc := range map[string]struct {
		numbers []config.Number
		ids     []config.CallerID
		account string
		shown   string
		to      string
		line    string
		want    bool
	}{
		"nothing is set up":               {nil, nil, "AC1", "+14155550199", "+14155550123", "", true},
		"only another account's":          {[]config.Number{{Number: "+14155550100", Account: "AC2"}}, nil, "AC1", "+14155550199", "+14155550123", "", true},
		"its number":                      {[]config.Number{{Number: "+14155550100"}}, nil, "AC1", "+14155550100", "+14155550123", "", true},
		"written otherwise":               {[]config.Number{{Number: "+14155550100"}}, nil, "AC1", "4155550100", "+14155550123", "", true},
		"no number of it":                 {[]config.Number{{Number: "+14155550100"}}, nil, "AC1", "+14155550199", "+14155550123", "", false},
		"within a range":                  {[]config.Number{{Number: "+141555501*"}}, nil, "AC1", "+14155550199", "+14155550123", "", true},
		"all":                             {[]config.Number{{Number: "*", Line: "provider"}}, nil, "AC1", "+14155550199", "+14155550123", "", true},
		"of another account":              {[]config.Number{{Number: "+14155550100"}, {Number: "+14155550199", Account: "AC2"}}, nil, "AC1", "+14155550199", "+14155550123", "", false},
		"its caller id":                   {nil, []config.CallerID{{Number: "+14155550177"}}, "AC1", "+14155550177", "+14155550123", "", true},
		"beside a caller id":              {nil, []config.CallerID{{Number: "+14155550177"}}, "AC1", "+14155550178", "+14155550123", "", false},
		"another account's caller id":     {[]config.Number{{Number: "+14155550100"}}, []config.CallerID{{Number: "+14155550177", Account: "AC2"}}, "AC1", "+14155550177", "+14155550123", "", false},
		"a user's":                        {[]config.Number{{Number: "+14155550100"}}, nil, "AC1", "+14155550111", "+14155550123", "", true},
		"a phone's":                       {[]config.Number{{Number: "+14155550100"}}, nil, "AC1", "202", "+14155550123", "", true},
		"the trunk's":                     {[]config.Number{{Number: "+14155550100"}}, nil, "AC1", "+14155550109", "+14155550123", "", true},
		"to a phone of the box":           {[]config.Number{{Number: "+14155550100"}}, nil, "AC1", "+14155550199", "202", "", true},
		"to a route inside":               {[]config.Number{{Number: "+14155550100"}}, nil, "AC1", "+14155550199", "301", "", true},
		"to a phone's number, by a trunk": {[]config.Number{{Number: "+14155550100"}}, nil, "AC1", "+14155550199", "+14155550111", "provider", false},
		"an emergency":                    {[]config.Number{{Number: "+14155550100"}}, nil, "AC1", "+14155550199", "911", "", true},
		"to nowhere":                      {[]config.Number{{Number: "+14155550100"}}, nil, "AC1", "+14155550199", "+4930123456", "", true},
	} {
		snap := base
		snap.Numbers, snap.CallerIDs = tc.numbers, tc.ids
		c := callers{&accounts{}, &router{}}
		c.accounts.snap.Store(&snap)
		if err := c.router.set(snap, []string{"sip", "provider", "pbx", "bob", "carol", "fxs1"}, true); err != nil {
			t.Fatal(err)
		}
		if got := c.MayShow(tc.account, tc.shown, tc.to, tc.line); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// What the configuration says counts at once.
func TestCallerIDsOfConfiguration(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	account := a.config().Accounts[0].ID
	importText(t, a, exportText(t, a, true)+officeText+"caller_ids:\n- number: \"+14155550177\"\n")
	c := callers{a.accounts, a.router}
	if c.MayShow(account, "+14155550199", "+14155550123", "") || !c.MayShow(account, "+14155550177", "+14155550123", "") {
		t.Error("caller_ids of the configuration do not count")
	}
	if text := exportText(t, a, false); !strings.Contains(text, "caller_ids:\n- number: \"+14155550177\"\n") {
		t.Errorf("it is not exported:\n%s", text)
	}
}
