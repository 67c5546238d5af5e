package board

import (
	"testing"
	"testing/synctest"

	"callbox/hal/bus"
)

// TestModemLines: the lines that switch a modem are taken low, and given back; a modem
// whose line cannot be had has a slot all the same.
func TestModemLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := Parse([]byte("name: mine\ntitle: My board\nlike: pi4\nmodems:\n- {port: gsm1, pwrkey: GPIO10, reset: GPIO11}\n- {port: gsm2, pwrkey: GPIO27}\n"))
		if err != nil {
			t.Fatal(err)
		}
		m := newBench(t)
		m.fail["GPIO27"] = bus.ErrNoPin
		c := testConfig()
		c.USB = t.TempDir()
		b, err := open(p, "Pi", c, m.hardware())
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []string{"GPIO10", "GPIO11"} {
			if l := m.lights[n]; l == nil {
				t.Errorf("%s was not taken", n)
			} else if high, _ := l.is(); high {
				t.Errorf("%s is high", n)
			}
		}
		if port, ok := b.Port("gsm2"); !ok || port.GSM == nil || len(b.Problems) != 1 || b.Problems[0].Port != "power key of gsm2" {
			t.Errorf("slot %+v, problems %+v", port, b.Problems)
		}
		if err := b.Close(); err != nil || len(m.open) != 0 {
			t.Errorf("%v; still open: %v", err, m.open)
		}
	})
	for what, lines := range map[string]string{
		"no slot": "- {port: fxs1, pwrkey: GPIO10}", "a slot twice": "- {port: gsm1, pwrkey: GPIO10}\n- {port: gsm1, pwrkey: GPIO11}",
		"a line twice": "- {port: gsm1, pwrkey: GPIO10, reset: GPIO10}", "a key that is held from power-on": "- {port: gsm1, pwrkey: GPIO6}",
	} {
		if _, err := Parse([]byte("name: mine\ntitle: My board\nlike: pi4\nmodems:\n" + lines + "\n")); err == nil {
			t.Errorf("%s was taken", what)
		}
	}
}
