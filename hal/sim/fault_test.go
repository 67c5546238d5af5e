package sim

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSwitchFaults(t *testing.T) {
	p := NewPhone("fxs1")
	defer p.Close()
	for _, s := range []struct{ name, value string }{
		{"dead", "on"}, {"bounce", "3ms"}, {"rate-ppm", "-200"}, {"dead", "off"}, {"bounce", "off"}, {"rate-ppm", "off"},
	} {
		if err := p.SetFault(s.name, s.value); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(p.Faults(), func(f Fault) bool { return f.Name == s.name })
		if i < 0 || p.Faults()[i].Value != s.value || p.Faults()[i].About == "" {
			t.Errorf("after %s %s: %+v", s.name, s.value, p.Faults())
		}
	}
	for _, s := range []struct{ name, value, want string }{
		{"toast", "on", "want one of bounce, dead"}, {"dead", "yes", "neither on nor off"},
		{"bounce", "3", "neither a time"}, {"rate-ppm", "x", "neither a number"},
	} {
		if err := p.SetFault(s.name, s.value); err == nil || !strings.Contains(err.Error(), s.want) {
			t.Errorf("SetFault(%s, %s) = %v", s.name, s.value, err)
		}
	}
	if p.faults != (Faults{}) {
		t.Errorf("faults that nobody set: %+v", p.faults)
	}
	n := 0
	if err := (Knobs{{"lost", "", &n}}).Set("lost", "3"); err != nil || n != 3 {
		t.Errorf("Set = %v, value %d", err, n)
	}
	var d time.Duration
	if v := (Knobs{{"late", "", &d}}).List()[0].Value; v != "off" {
		t.Errorf("a zero time is %q", v)
	}
}
