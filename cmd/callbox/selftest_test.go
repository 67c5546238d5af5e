package main

import (
	"strings"
	"testing"

	"callbox/api/admin"
	"callbox/call"
)

func TestSelftest(t *testing.T) {
	t.Parallel()
	b := admin.Board{Title: "a board", Warnings: []string{"hot"}, Condition: admin.Condition{ClockSet: true},
		Parts: []admin.Part{{Name: "fxs1", State: "loaded"}, {Name: "fxs2", State: "skipped", Reason: "not fitted"}, {Name: "light fxs1", State: "failed", Reason: "busy"}}}
	lines := []admin.Line{
		{ID: "fxs1", Kind: call.FXS, Status: call.LineStatus{Ready: true, Text: "on-hook"}},
		{ID: "alice", Kind: call.User, Status: call.LineStatus{Text: "no phone registered"}},
		{ID: "provider", Kind: call.Trunk, Status: call.LineStatus{Text: "not registered"}},
	}
	got := map[string]string{}
	for _, f := range selftest(b, lines) {
		got[f.What] = f.Result
	}
	for what, want := range map[string]string{"board": findOK, "fxs1": findOK, "fxs2": findAttention, "light fxs1": findFailed, "machine": findAttention,
		"clock": findAttention, "line fxs1": findOK, "line alice": findAttention, "line provider": findFailed} {
		if got[what] != want {
			t.Errorf("%s: %q, want %q", what, got[what], want)
		}
	}
	for line, want := range map[admin.Line]string{lines[0]: "--to client:fxs1", lines[2]: "--line provider", {ID: sipLine, Kind: call.Trunk}: ""} {
		if got := byEar(line); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s: %s", line.ID, got)
		}
	}
}
