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

// TestVoLTE: the state says how calls are carried and what to do about it; what is
// configured is told to the modem once, which starts anew for it.
func TestVoLTE(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, modemConfig(cell.EC25), gsm.Config{}, cell.Faults{})
		by := func(voice, advice string) {
			t.Helper()
			s := b.until(advice, 2*time.Minute, func(s hal.ModemState) bool { return s.OK && strings.Contains(s.VoLTE, advice) })
			if s.Voice != voice {
				t.Errorf("calls by %q, want %q", s.Voice, voice)
			}
		}
		const falls = "falls back from LTE to 2G or 3G (CSFB)"
		by("VoLTE", "calls go over LTE")
		b.modem.SetFaults(cell.Faults{NoVoLTE: true})
		by(falls, "set the modem's volte to on")
		b.port.Use(gsm.Config{Name: "gsm1", VoLTE: "on"})
		by(falls, "switched on and the network has not admitted the modem")
		b.modem.SetFaults(cell.Faults{})
		by("VoLTE", "calls go over LTE")
		b.port.Use(gsm.Config{Name: "gsm1", VoLTE: "off"})
		by(falls, "switched off in the modem")
		<-time.After(time.Hour)
		if s := b.port.State(); s.Counters.Restarts != 2 || !s.OK {
			t.Errorf("it was restarted %d times; %q", s.Counters.Restarts, s.Text)
		}
	})
}

// TestVoLTENotKnown: modems that can be told differently, or not at all.
func TestVoLTENotKnown(t *testing.T) {
	for f, want := range map[cell.Family]map[string]string{
		cell.SIM7600: {"on": "", "off": "cannot be told that VoLTE is off"}, cell.E1550: {"on": "cannot be told that VoLTE is on"},
	} {
		for set, warning := range want {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, modemConfig(f), gsm.Config{VoLTE: set}, cell.Faults{})
				s := b.ready()
				if all := strings.Join(s.Warnings, "; "); strings.Contains(all, "VoLTE") != (warning != "") || !strings.Contains(all, warning) {
					t.Errorf("%s, volte %s: warnings %q", f, set, all)
				}
				<-time.After(10 * time.Minute)
				if n := b.port.State().Counters.Restarts; n != 0 {
					t.Errorf("%s was restarted %d times", f, n)
				}
			})
		}
	}
}
