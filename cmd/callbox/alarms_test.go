package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/storage"
)

// TestAlarms: alerts are kept newest first, repeated ones as one, the oldest go, and
// what was kept is there after a restart.
func TestAlarms(t *testing.T) {
	t.Parallel()
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	open := func() *storage.Store {
		s, err := storage.Open(storage.Config{Dir: dir, Logger: log})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	s := open()
	a := newAlarms(s, clock, log)
	if len(a.Alerts("AC1")) != 0 {
		t.Error("alerts of a new box")
	}
	failed := &script.FetchError{Code: 11200, URL: "http://app.lan/", Status: 500, Err: errors.New("asking http://app.lan/: 500")}
	for range 3 {
		a.fetchFailed("AC1", "call1", fmt.Errorf("wrapped: %w", failed))
	}
	a.fetchFailed("AC1", "call1", context.Canceled)
	a.fetchFailed("AC2", "call2", failed)
	now = now.Add(2 * time.Minute)
	a.fetchFailed("AC1", "call3", failed)
	got := a.Alerts("AC1")
	if len(got) != 2 || got[0].Call != "call3" || got[1].Count != 3 || got[1].Type != call.AlertHookStatus || got[1].Status != 500 || got[1].URL != "http://app.lan/" {
		t.Errorf("%+v", got)
	}
	for code, want := range map[int]call.AlertType{11100: call.AlertHookAddress, 11205: call.AlertHookSilent, 11237: call.AlertHookSilent, 12100: call.AlertDocument, 11750: call.AlertDocument} {
		if got := fetchAlert(code); got != want {
			t.Errorf("%d is %s, want %s", code, got, want)
		}
	}
	const many = alertPages*alertsPerPage + 20
	for i := range many {
		a.add(call.Alert{Account: "AC1", Type: call.AlertRoute, Text: fmt.Sprint(i)})
	}
	got = a.Alerts("AC1")
	if len(got) < alertsPerPage*(alertPages-1) || len(got) > alertPages*alertsPerPage || got[0].Text != fmt.Sprint(many-1) {
		t.Errorf("%d are kept, the newest is %+v", len(got), got[0])
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := a.run(ctx); err != nil { // writes what is left
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer s.Close()
	again := newAlarms(s, clock, log).Alerts("AC1")
	if len(again) != len(got) || again[0] != got[0] || again[len(again)-1] != got[len(got)-1] {
		t.Errorf("after a restart %d alerts, the newest %+v", len(again), again[0])
	}
}
