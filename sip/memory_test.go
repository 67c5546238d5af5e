package sip

import (
	"runtime"
	"testing"
	"time"
)

// TestFinishedCallsAreSmall holds what a finished call keeps for the 32 s of
// its transaction timers: keys and the last bytes, nothing of the dialog.
func TestFinishedCallsAreSmall(t *testing.T) {
	const calls = 400
	slow := func(c *Config) { c.T1 = 500 * time.Millisecond }
	a, b := startStack(t, slow), startStack(t, slow)
	in := trunkPeer(t, b)
	run := func() {
		for range calls {
			out, arrived := answered(t, a, b, in, "udp")
			out.Hangup(Reason{})
			expectEnd(t, out)
			expectEnd(t, arrived)
		}
	}
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	run() // tables and pools have grown
	before := heap()
	run()
	perCall := int64(heap()-before) / calls
	c := b.Counters()
	t.Logf("%d bytes for both ends of a finished call; callee %+v", perCall, c)
	if perCall > 3200 {
		t.Errorf("a finished call keeps %d bytes", perCall)
	}
	if c.Dialogs != 0 || c.ServerTx < calls {
		t.Errorf("%+v", c)
	}
}
