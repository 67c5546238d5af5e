package main

import (
	"slices"
	"testing"

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
}
