package config

import "testing"

func TestPrice(t *testing.T) {
	for text, want := range map[string]Price{"0": 0, "0.0075": 75, "1": 10000, "12.5": 125000, "0.01": 100} {
		got, err := ParsePrice(text)
		if err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
		if again, err := ParsePrice(got.String()); err != nil || again != want {
			t.Errorf("%q: written as %q, which is %d, %v", text, got, again, err)
		}
	}
	for p, want := range map[Price]string{0: "0.00", 75: "0.0075", 100: "0.01", 125000: "12.50", 10: "0.001"} {
		if got := p.String(); got != want {
			t.Errorf("%d: %q, want %q", int64(p), got, want)
		}
	}
	for _, text := range []string{"", ".", "-1", "0.00751", "1e3", "1,5", "12345678901", "x", "+1"} {
		if got, err := ParsePrice(text); err == nil {
			t.Errorf("%q was read as %d", text, got)
		}
	}
}
