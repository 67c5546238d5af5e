package session

import (
	"errors"
	"testing"
)

// TestSeat: a session in a room gives what it hears and gets what it is told, a
// clip besides; it leaves its bridge, and the relay path, for it.
func TestSeat(t *testing.T) {
	t.Parallel()
	c := &clock{}
	pa, pb := &relayPort{codec: "PCMU", port: port{keep: true}}, &relayPort{codec: "PCMU", port: port{keep: true}}
	a, b := newSession(t, c, pa), newSession(t, c, pb)
	if err := Bridge(a, b); err != nil {
		t.Fatal(err)
	}
	seat := &port{keep: true}
	if err := a.Enter(seat); err != nil {
		t.Fatal(err)
	}
	if pa.relays() || pb.relays() || b.Bridged() || !a.Bridged() {
		t.Error("the bridge is still there")
	}
	pa.says(300)
	seat.says(20)
	c.tick(2)
	equal(t, "the room hears", seat.take(), 300, 300)
	equal(t, "a hears", pa.take(), 20, 20)
	pa.says(0)
	seat.says(0)
	a.Play(&clip{v: 5000, n: 1})
	c.tick(2)
	equal(t, "the room hears", seat.take())
	equal(t, "a hears", pa.take(), 5000, 0)
	seat.says(1)
	a.Play(&clip{v: 5000, n: 1})
	c.tick(1)
	equal(t, "a hears both", pa.take(), 5001)
	if err := a.Enter(&port{}); err != nil {
		t.Errorf("from room to room: %v", err)
	}
	a.Leave(seat) // it has left already
	if !a.Bridged() {
		t.Error("left a room where it was not")
	}
	if err := Bridge(a, b); err != nil || !b.Bridged() {
		t.Errorf("from a room to a bridge: %v", err)
	}
	a.Close()
	if err := a.Enter(seat); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed session: %v", err)
	}
}
