package sim

import "testing"

// TestActsByName: hands refuse what a phone has not.
func TestActsByName(t *testing.T) {
	p := NewPhone("fxs1")
	defer p.Close()
	for _, act := range [][2]string{{"sing", ""}, {"flash", "soon"}, {"pulse", "1 fast"}, {"pulse", "#"}, {"wait-ring", "0"}} {
		if err := p.Do(t.Context(), act[0], act[1]); err == nil {
			t.Errorf("%v is done", act)
		}
	}
	p.OffHook()
	if err := p.Do(t.Context(), "flash", "10ms"); err != nil {
		t.Error(err)
	}
	if err := p.Do(t.Context(), "forget", ""); err != nil {
		t.Error(err)
	}
	if s := p.State(); s[0] != (Field{"hook", "off-hook"}) {
		t.Errorf("state: %v", s)
	}
	if err := p.SetFault("broken-pins", "on"); err != nil {
		t.Error(err)
	}
	if _, err := p.SHK().Read(); err == nil {
		t.Error("a broken pin can be read")
	}
}
