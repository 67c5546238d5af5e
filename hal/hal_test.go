package hal

import (
	"errors"
	"testing"
	"time"
)

func ms(n ...int) []time.Duration {
	d := make([]time.Duration, len(n))
	for i, v := range n {
		d[i] = time.Duration(v) * time.Millisecond
	}
	return d
}

func TestCadenceValidate(t *testing.T) {
	tests := []struct {
		name string
		c    Cadence
		ok   bool
	}{
		{"US", Cadence{Steps: ms(2000, 4000), Hz: 20}, true},
		{"UK", Cadence{Steps: ms(400, 200, 400, 2000), Hz: 25}, true},
		{"own frequency", Cadence{Steps: ms(1000, 4000)}, true},
		{"shortest step", Cadence{Steps: ms(100, 10000)}, true},
		{"none", Cadence{}, false},
		{"odd", Cadence{Steps: ms(400, 200, 400)}, false},
		{"too many", Cadence{Steps: ms(100, 100, 100, 100, 100, 100, 100, 100, 100, 100)}, false},
		{"too short", Cadence{Steps: ms(99, 4000)}, false},
		{"too long", Cadence{Steps: ms(1000, 10001)}, false},
		{"negative", Cadence{Steps: ms(-1000, 4000)}, false},
		{"too slow", Cadence{Steps: ms(1000, 4000), Hz: 15}, false},
		{"too fast", Cadence{Steps: ms(1000, 4000), Hz: 61}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.c.Validate()
			if (err == nil) != tt.ok {
				t.Fatalf("Validate() = %v, want ok %v", err, tt.ok)
			}
			if err != nil && !errors.Is(err, ErrCadence) {
				t.Errorf("error %v does not wrap ErrCadence", err)
			}
		})
	}
}

func TestCadenceOn(t *testing.T) {
	on, total := Cadence{Steps: ms(400, 200, 400, 2000)}.On()
	if on != 800*time.Millisecond || total != 3*time.Second {
		t.Errorf("On() = %v, %v", on, total)
	}
}

func TestNames(t *testing.T) {
	for want, got := range map[string]string{
		"low": Low.String(), "high": High.String(),
		"off-hook": OffHook.String(), "on-hook": OnHook.String(), "flash": Flash.String(),
		"pulse-digit": PulseDigit.String(), "unknown": PhoneEventType(99).String(),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
