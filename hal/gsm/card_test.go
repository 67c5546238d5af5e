package gsm_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/hal"
	"callbox/hal/gsm"
	"callbox/hal/sim/cell"
)

// TestPIN: what happens with SIMs that want a PIN, by the tries that they have left.
// The last try is never used, and a refused PIN never tried again.
func TestPIN(t *testing.T) {
	for _, c := range []struct {
		name, cardPIN, pin string
		spent              int // tries used before, in a telephone
		ready              bool
		text               string
		left               int // tries afterwards
	}{
		{"no PIN wanted", "", "", 0, true, "registered", 3},
		{"no PIN wanted, one given", "", "1234", 0, true, "registered", 3},
		{"right", "1234", "1234", 0, true, "registered", 3},
		{"right, one spent", "1234", "1234", 1, true, "registered", 3},
		{"right, the last try", "1234", "1234", 2, false, "1 tries left", 1},
		{"none given", "1234", "", 0, false, "waits for its PIN; set it", 3},
		{"wrong", "1234", "4321", 0, false, "refused the PIN", 2},
		{"wrong, one spent", "1234", "4321", 1, false, "refused the PIN", 1},
		{"wrong, the last try", "1234", "4321", 2, false, "1 tries left", 1},
		{"locked", "1234", "1234", 3, false, "locked", 0},
	} {
		for _, f := range families() {
			t.Run(c.name+"/"+string(f), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					mc := modemConfig(f)
					mc.Card.PIN, mc.Card.Spent = c.cardPIN, c.spent
					b := newBench(t, mc, gsm.Config{PIN: c.pin}, cell.Faults{SIMBusy: 3})
					s := b.until(c.text, 40*time.Second, func(s hal.ModemState) bool { return strings.Contains(s.Text, c.text) })
					<-time.After(2 * time.Minute) // nothing more is tried
					if s = b.port.State(); s.OK != c.ready {
						t.Errorf("ready %v: %s", s.OK, s.Text)
					}
					if got := b.modem.TriesLeft(); got != c.left {
						t.Errorf("%d tries left, want %d", got, c.left)
					}
					for _, n := range s.History {
						if c.pin != "" && strings.Contains(n.Text, c.pin) {
							t.Errorf("the history shows the PIN: %s", n.Text)
						}
					}
				})
			})
		}
	}
}

// TestCorrectedPIN: a corrected PIN is tried at once.
func TestCorrectedPIN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mc := modemConfig(cell.EC25)
		mc.Card.PIN = "1234"
		b := newBench(t, mc, gsm.Config{PIN: "4321"}, cell.Faults{})
		b.until("refused", 30*time.Second, func(s hal.ModemState) bool { return strings.Contains(s.Text, "refused") })
		b.port.Use(gsm.Config{Name: "gsm1", PIN: "1234"})
		b.ready()
	})
}

// TestRoaming: calls in other networks are made only when that is allowed.
func TestRoaming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, modemConfig(cell.EC25), gsm.Config{}, cell.Faults{Roaming: true})
		s := b.until("roams", 30*time.Second, func(s hal.ModemState) bool { return strings.Contains(s.Text, "roams at Atlanta Cellular") })
		if s.OK || !s.Roaming {
			t.Errorf("state %+v", s.Health)
		}
		b.port.Use(gsm.Config{Name: "gsm1", Roaming: true})
		if s := b.ready(); !strings.Contains(s.Text, "roaming at") {
			t.Errorf("text %q", s.Text)
		}
	})
}

// TestConditions: what is wrong is told in a sentence, and what was repaired works.
func TestConditions(t *testing.T) {
	for _, c := range []struct {
		faults cell.Faults
		text   string
	}{
		{cell.Faults{NoSIM: true}, "no SIM is inserted"},
		{cell.Faults{Denied: true}, "refuses the SIM"},
		{cell.Faults{NoNetwork: true}, "looks for a network"},
	} {
		for _, f := range families() {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, modemConfig(f), gsm.Config{}, c.faults)
				b.until(c.text, 40*time.Second, func(s hal.ModemState) bool { return strings.Contains(s.Text, c.text) && !s.OK })
				if err := b.port.Dial(t.Context(), "5550123", false); err == nil || !strings.Contains(err.Error(), c.text) {
					t.Errorf("Dial: %v", err)
				}
				b.modem.SetFaults(cell.Faults{})
				b.ready()
			})
		}
	}
}

// TestNoVoice: firmware that gives no sound is told of before the first call.
func TestNoVoice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, modemConfig(cell.E1550), gsm.Config{}, cell.Faults{NoVoice: true})
		s := b.until("no sound", 30*time.Second, func(s hal.ModemState) bool { return strings.Contains(s.Text, "no sound over USB") })
		if s.OK || len(s.Warnings) == 0 {
			t.Errorf("state %v, warnings %q", s.OK, s.Warnings)
		}
	})
}

// TestFirmwareWarnings: versions that are known for trouble are told of.
func TestFirmwareWarnings(t *testing.T) {
	for version, want := range map[string]string{"EG25GGBR07A08M2G_A0.300": "hears nothing", "EC25EFAR06A06M4G": ""} {
		synctest.Test(t, func(t *testing.T) {
			mc := modemConfig(cell.EC25)
			mc.Firmware = version
			b := newBench(t, mc, gsm.Config{}, cell.Faults{})
			s := b.ready()
			if got := strings.Join(s.Warnings, "; "); want == "" != (got == "") || !strings.Contains(got, want) {
				t.Errorf("%s: warnings %q", version, got)
			}
		})
	}
}
