package main

import (
	"slices"
	"testing"
	"time"

	"callbox/call/line/fxs"
	"callbox/storage/config"
)

// TestShownIn: a phone's display shows a caller's number as its country dials it.
func TestShownIn(t *testing.T) {
	for _, tt := range []struct{ country, from, want string }{
		{"US", "+14155550100", "(415) 555-0100"},
		{"US", "+442079460000", "011442079460000"},
		{"GB", "+442079460000", "020 7946 0000"},
		{"DE", "+14155550100", "0014155550100"},
		{"DE", "201", "201"},
		{"DE", "alice", "alice"},
		{"DE", "", ""},
	} {
		if got := shownIn(tt.country)(tt.from); got != tt.want {
			t.Errorf("%s in %s is shown as %q, want %q", tt.from, tt.country, got, tt.want)
		}
	}
}

// TestPhoneSettings: the configuration offers what the lines of phones can do.
func TestPhoneSettings(t *testing.T) {
	if got := fxs.CallerIDs(); !slices.Equal(got, config.CallerIDs) {
		t.Errorf("caller ids %q, the configuration has %q", got, config.CallerIDs)
	}
	var actions []string
	for _, a := range fxs.Actions() {
		actions = append(actions, string(a))
	}
	if !slices.Equal(actions, config.CodeActions) {
		t.Errorf("codes do %q, the configuration has %q", actions, config.CodeActions)
	}
	ph := config.Phone{Port: "fxs1", HotLine: "911", HotDelay: config.Duration(3 * time.Second), CallWaiting: true,
		Rings: []config.Ring{{Caller: "2*", Rhythm: []int{500, 500, 500, 3000}}}}
	snap := config.Snapshot{Country: "US", Dialling: config.Dialling{Map: []string{"911", "[2-9]xxxxxx"}}}
	cfg, err := phoneConfig(ph, snap)
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil || len(cfg.Features) != len(config.DefaultCodes) || cfg.Plan == nil || cfg.HotDelay != 3*time.Second || len(cfg.Rings) != 1 {
		t.Errorf("%+v: %v", cfg, err)
	}
}
