package config

import (
	"encoding/json"
	"math"
	"testing"
	"time"
)

func TestDurationText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		d    time.Duration
		text string
	}{
		{0, "0s"}, {time.Hour, "1h"}, {10 * time.Minute, "10m"}, {90 * time.Minute, "1h30m"}, {30 * time.Second, "30s"},
		{24 * time.Hour, "1d"}, {400 * 24 * time.Hour, "400d"}, {36 * time.Hour, "36h"}, {time.Hour + time.Second, "1h0m1s"},
		{20 * time.Second, "20s"}, {10*time.Hour + 20*time.Minute + 30*time.Second, "10h20m30s"}, {1500 * time.Millisecond, "1.5s"},
		{-time.Hour, "-1h"}, {-48 * time.Hour, "-2d"}, {100 * time.Hour, "100h"}, {time.Duration(maxDays) * day, "106751d"},
	} {
		b, err := json.Marshal(Duration(tt.d))
		if err != nil || string(b) != `"`+tt.text+`"` {
			t.Errorf("%s is written %s, %v", tt.d, b, err)
		}
		var back Duration
		if err := json.Unmarshal(b, &back); err != nil || back.Std() != tt.d {
			t.Errorf("%s comes back as %s, %v", b, back, err)
		}
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"1d12h": 36 * time.Hour, "0d": 0, "0": 0, "1h0m0s": time.Hour, "2d0.5s": 48*time.Hour + 500*time.Millisecond, "-1d1s": -day - time.Second,
	} {
		if d, err := ParseDuration(text); err != nil || d.Std() != want {
			t.Errorf("%q: %s, %v", text, d, err)
		}
	}
	for _, text := range []string{"", "90", "d", "1.5d", "1d-1h", "-d", "--1h", "1d1d", "1 d", "one hour", "106752d", "106751d24h", "99999999999d", "400 days"} {
		if d, err := ParseDuration(text); err == nil {
			t.Errorf("%q is taken for %s", text, d)
		}
	}
	var d Duration
	if err := json.Unmarshal([]byte("3600"), &d); err == nil {
		t.Error("a number without a unit is taken")
	}
}

// FuzzDuration holds that what is read can be written and read again.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"1h", "90d", "1d12h", "-1h", "0", "1h0m0s", "106751d23h", "1.5d", "d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err != nil {
			return
		}
		if back, err := ParseDuration(d.String()); err != nil || back != d {
			t.Errorf("%q is %d, written %q, which is %d, %v", s, d, d.String(), back, err)
		}
		if d == math.MinInt64 {
			t.Errorf("%q overflows", s)
		}
	})
}
