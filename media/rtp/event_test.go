package rtp

import "testing"

// ev is one event packet of the tests.
type ev struct {
	code     byte
	ts       uint32
	duration uint32
	end      bool
	marker   bool
}

func TestEventsOncePerPress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   []ev
		want string
	}{
		{"ordinary", []ev{{5, 1000, 160, false, true}, {5, 1000, 320, false, false}, {5, 1000, 480, true, false}, {5, 1000, 480, true, false}, {5, 1000, 480, true, false}}, "5"},
		{"the start is lost", []ev{{11, 1000, 480, true, false}, {11, 1000, 480, true, false}}, "#"},
		{"the end is lost", []ev{{1, 1000, 160, false, true}, {1, 3000, 160, false, true}, {2, 6000, 160, false, true}}, "112"},
		{"same key twice", []ev{{1, 1000, 800, true, true}, {1, 2600, 800, true, true}}, "11"},
		{"overtaken", []ev{{1, 1000, 160, false, true}, {2, 3000, 160, false, true}, {1, 1000, 480, true, false}, {2, 3000, 320, true, false}}, "12"},
		{"timestamps wrap", []ev{{1, 0xFFFFFF00, 160, false, true}, {2, 0x500, 160, true, true}, {1, 0xFFFFFF00, 480, true, false}}, "12"},
		{"the sender starts its clock anew", []ev{{1, 5_000_000, 160, true, true}, {1, 100, 160, true, true}}, "11"},
		{"held for 10 s", []ev{{9, 0, 160, false, true}, {9, 0, 0xFFFF, false, false}, {9, 0xFFFF, 160, false, false}, {9, 0xFFFF, 8000, true, false}}, "9"},
		{"pressed again after 8 s", []ev{{9, 0, 0xFFFF, false, true}, {9, 0, 0xFFFF, true, false}, {9, 0xFFFF, 160, false, true}}, "99"},
		{"all keys", []ev{{0, 100, 160, true, true}, {10, 1000, 160, true, true}, {12, 2000, 160, true, true}, {15, 3000, 160, true, true}}, "0*AD"},
		{"timestamps that count on", []ev{{5, 1000, 160, false, true}, {5, 1160, 320, false, false}, {5, 1320, 480, false, false}, {5, 1480, 640, true, false}, {5, 1640, 640, true, false}, {5, 1800, 640, true, false}, {5, 4000, 160, false, true}, {5, 4160, 320, true, false}}, "55"},
		{"timestamps that count on, the start is lost", []ev{{5, 1160, 320, false, false}, {5, 1320, 480, false, false}, {5, 1480, 480, true, false}}, "5"},
		{"short presses without markers", []ev{{5, 1000, 160, false, false}, {5, 1000, 320, true, false}, {5, 1800, 160, false, false}, {5, 1800, 320, true, false}}, "55"},
		{"only the ends come, of quick presses", []ev{{5, 1000, 320, true, false}, {5, 1640, 320, true, false}, {5, 2280, 320, true, false}}, "555"},
		{"a hook flash is no key", []ev{{16, 100, 160, true, true}, {200, 1000, 160, true, true}}, ""},
	} {
		var e eventIn
		got := ""
		for _, p := range c.in {
			var b [eventBytes]byte
			putEvent(b[:], p.code, p.end, p.duration)
			if key := e.packet(p.ts, b[:], p.marker); key != 0 {
				got += string(key)
			}
		}
		if got != c.want {
			t.Errorf("%s: keys %q, want %q", c.name, got, c.want)
		}
	}
}

func TestEventShort(t *testing.T) {
	t.Parallel()
	var e eventIn
	for n := range eventBytes {
		if e.packet(1, make([]byte, n), true) != 0 || eventDuration(make([]byte, n)) != 0 {
			t.Errorf("%d bytes are an event", n)
		}
	}
	if e.packet(1, make([]byte, 40), true) != '0' { // redundant events follow the first
		t.Error("a long payload is no event")
	}
}

func TestKeyEvent(t *testing.T) {
	t.Parallel()
	for i := range len(eventKeys) {
		if code, ok := keyEvent(eventKeys[i]); !ok || int(code) != i {
			t.Errorf("%c = %d, %v", eventKeys[i], code, ok)
		}
	}
	if code, ok := keyEvent('b'); !ok || code != 13 {
		t.Errorf("b = %d, %v", code, ok)
	}
	for _, bad := range []byte{'E', 'w', ' ', 0, 200} {
		if _, ok := keyEvent(bad); ok {
			t.Errorf("%q is a key", bad)
		}
	}
}
