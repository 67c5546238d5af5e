package engine

import (
	"context"
	"slices"
	"testing"
	"time"

	"callbox/call"
	"callbox/call/script"
)

// Identify implements call.Identifier.
func (l *farLeg) Identify(_ context.Context, p call.Party) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shown = append(l.shown, p)
	return nil
}

// TestConnectedParty: when the party behind a connection changes, the other one is
// told; the first party of a connection is known.
func TestConnectedParty(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		caller, _, _ := w.arrive(script.Dial{Targets: users("201")})
		callee := <-w.lines["201"].dialed
		callee.answer()
		pass(time.Second)
		for range 2 {
			callee.emit(call.LegEvent{Type: call.LegParty, Party: &call.Party{Number: "202", Name: "Carol"}})
			pass(time.Second)
		}
		caller.emit(call.LegEvent{Type: call.LegParty, Party: &call.Party{Number: "5550144"}})
		pass(time.Second)
		shown := func(l *farLeg) []call.Party {
			l.mu.Lock()
			defer l.mu.Unlock()
			return slices.Clone(l.shown)
		}
		if got := shown(caller); !slices.Equal(got, []call.Party{{Number: "202", Name: "Carol"}}) {
			t.Errorf("the caller is shown %v", got)
		}
		if got := shown(callee); !slices.Equal(got, []call.Party{{Number: "5550144"}}) {
			t.Errorf("the callee is shown %v", got)
		}
	})
}
