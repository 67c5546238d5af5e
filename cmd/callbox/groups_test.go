package main

import (
	"testing"
	"time"

	"callbox/call"
	"callbox/call/lamp"
	"callbox/call/script"
	"callbox/storage/config"
)

// TestGroups: the lines of a group are tried in the order of its hunting, each for its
// time, by number, by name and as a route's line.
func TestGroups(t *testing.T) {
	t.Parallel()
	lines := []string{"fxs1", "fxs2", "alice", "one", "two"}
	group := func(hunt string) *router {
		snap := config.Snapshot{Country: "US",
			Users:  []config.User{{Name: "alice", Password: "a1l2i3c4e5"}},
			Phones: []config.Phone{{Port: "fxs1"}, {Port: "fxs2"}},
			Trunks: []config.Trunk{{Name: "one", Host: "192.0.2.1"}, {Name: "two", Host: "192.0.2.2"}},
			Groups: []config.Group{
				{Name: "desk", Number: "200", Lines: []string{"fxs1", "fxs2", "alice"}, Hunt: hunt, Ring: config.Duration(15 * time.Second)},
				{Name: "out", Lines: []string{"one", "two"}, Hunt: hunt},
			},
			Routes: []config.Route{{Name: "world", Lines: []string{"out", "fxs2"}}},
		}.WithDefaults()
		if err := snap.Validate(); err != nil {
			t.Fatal(err)
		}
		r := &router{used: func(line string) lamp.Use {
			return map[string]lamp.Use{"fxs1": {Now: 1, Calls: 3, Last: 7}, "fxs2": {Calls: 5, Last: 9}, "one": {Calls: 2, Last: 8}}[line]
		}}
		if err := r.set(snap, lines, true); err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, tt := range []struct{ hunt, to, want string }{
		{"", "200", "fxs1:fxs1 fxs2:fxs2 alice:alice"},
		{"", "client:desk", "fxs1:fxs1 fxs2:fxs2 alice:alice"},
		{config.HuntCyclic, "200", "alice:alice fxs1:fxs1 fxs2:fxs2"},
		{config.HuntLeastUsed, "desk", "alice:alice fxs2:fxs2 fxs1:fxs1"},
		{"", "+14155550100", "one:+14155550100 two:+14155550100 fxs2:+14155550100"},
		{config.HuntCyclic, "+14155550100", "two:+14155550100 one:+14155550100 fxs2:+14155550100"},
	} {
		if got := group(tt.hunt).waysTo(t, script.Target{To: tt.to}, ""); got != tt.want {
			t.Errorf("%s, %s: %s, want %s", tt.hunt, tt.to, got, tt.want)
		}
	}

	r := group("")
	way, err := r.Route(script.Target{To: "200"}, "")
	if err != nil {
		t.Fatal(err)
	}
	busy := call.FromSIP(486, call.Remote, "busy")
	for i, want := range []bool{true, true, false} {
		if next, why := way.Next(i, busy); next != want || why == "" || way.Attempts[i].Ring != 15*time.Second {
			t.Errorf("after line %d of a group: %v, %s, rung %v", i, next, why, way.Attempts[i].Ring)
		}
	}
	if next, _ := way.Next(0, call.NormalClearing(call.API)); next {
		t.Error("a call that was ended by request goes on")
	}
	if way, err = r.Route(script.Target{To: "+14155550100"}, ""); err != nil {
		t.Fatal(err)
	}
	if next, _ := way.Next(1, busy); next {
		t.Error("a busy callee is called again by a line outside of the group")
	}
	if next, _ := way.Next(1, call.FromSIP(503, call.Network, "down")); !next {
		t.Error("the route does not go on behind the group")
	}

	all := group(config.HuntAll)
	if got := all.Split(script.Target{To: "200"}); len(got) != 3 || got[2].To != "alice" || got[2].Kind != script.ToUser {
		t.Errorf("all: %+v", got)
	}
	if got := r.Split(script.Target{To: "200"}); len(got) != 1 || got[0].To != "200" {
		t.Errorf("one after another: %+v", got)
	}
	if got := all.Split(script.Target{To: "nobody"}); len(got) != 1 {
		t.Errorf("nobody: %+v", got)
	}
}
