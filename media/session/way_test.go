package session

import (
	"testing"
)

// TestWay: whoever wants to take the sound of a bridge elsewhere learns when it is
// needed here, and when no longer.
func TestWay(t *testing.T) {
	t.Parallel()
	c, pa, _, a, b := relayed(t)
	wants := func(what string, needed, relaying bool) <-chan struct{} {
		t.Helper()
		w := a.Way()
		if other := b.Way(); w.Needed != needed || w.Relaying != relaying || other.Needed != needed || other.Changed != w.Changed {
			t.Errorf("%s: %+v and %+v", what, w, other)
		}
		return w.Changed
	}
	changes := func(what string, ch <-chan struct{}) {
		t.Helper()
		select {
		case <-ch:
		default:
			t.Errorf("%s: nobody is told", what)
		}
	}
	ch := wants("at first", false, true)
	remove := b.Tap(In, &ear{})
	changes("a tap", ch)
	ch = wants("tapped", true, false)
	remove()
	c.tick(recheckTicks)
	changes("no tap", ch)
	ch = wants("untapped", false, true)
	a.SetMuted(true)
	changes("muted", ch)
	ch = wants("muted", true, false)
	a.SetMuted(false)
	changes("no longer muted", ch)
	ch = wants("unmuted", false, true)
	pa.negotiate("G722")
	c.tick(recheckTicks)
	changes("codecs differ", ch)
	ch = wants("with other codecs", false, false)
	a.Unbridge()
	changes("the end", ch)
	if w := a.Way(); !w.Needed || w.Relaying || w.Changed != nil {
		t.Errorf("without a bridge: %+v", w)
	}
}
