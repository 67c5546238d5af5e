package bus

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// fakeMixer has two controls.
type fakeMixer struct{ done []string }

func (m *fakeMixer) set(control string, percent int) error {
	if control == "Nonsense" {
		return errors.New("no such control")
	}
	m.done = append(m.done, fmt.Sprintf("%s=%d", control, percent))
	return nil
}

// TestLevels: every control is set, in the same order always; one that is not there
// is named and does not keep the others from being set.
func TestLevels(t *testing.T) {
	m := &fakeMixer{}
	err := setLevels(m, map[string]int{"Speaker": 80, "Mic": 40, "Nonsense": 1, "Auto Gain Control": 0})
	if got := strings.Join(m.done, " "); got != "Auto Gain Control=0 Mic=40 Speaker=80" {
		t.Errorf("set: %s", got)
	}
	if err == nil || !strings.Contains(err.Error(), `control "Nonsense" to 1 %: no such control`) {
		t.Errorf("error: %v", err)
	}
	if err := mixCard(99, nil); err != nil {
		t.Errorf("nothing to set: %v", err)
	}
	if err := mixCard(99, map[string]int{"Mic": 1}); err == nil {
		t.Error("the mixer of a card that is not there")
	}
}
