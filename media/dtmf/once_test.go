package dtmf

import (
	"testing"
	"time"
)

// told is one way's word of a press.
type told struct {
	at   time.Duration
	way  Way
	key  byte
	held time.Duration
}

func TestOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		in   []told
		want string
	}{
		"one way":                      {[]told{{0, Event, '1', 0}, {200 * ms, Event, '1', 0}, {400 * ms, Event, '2', 0}}, "112"},
		"all ways":                     {[]told{{0, Event, '1', 0}, {80 * ms, InSound, '1', 0}, {300 * ms, Message, '1', 0}}, "1"},
		"the same key twice":           {[]told{{0, InSound, '5', 0}, {100 * ms, Message, '5', 0}, {200 * ms, InSound, '5', 0}, {300 * ms, Message, '5', 0}}, "55"},
		"messages late and together":   {[]told{{0, InSound, '5', 0}, {200 * ms, InSound, '5', 0}, {400 * ms, InSound, '6', 0}, {700 * ms, Message, '5', 0}, {701 * ms, Message, '5', 0}, {702 * ms, Message, '6', 0}}, "556"},
		"one way misses a press":       {[]told{{0, InSound, '5', 0}, {500 * ms, Message, '6', 0}, {900 * ms, InSound, '7', 0}, {950 * ms, Message, '7', 0}}, "567"},
		"pressed again much later":     {[]told{{0, Event, '1', 0}, {5 * time.Second, Message, '1', 0}}, "11"},
		"a long press told at its end": {[]told{{0, InSound, '1', 0}, {4 * time.Second, Message, '1', 3900 * ms}}, "1"},
		"nonsense about its length":    {[]told{{0, InSound, '1', 0}, {20 * time.Second, Message, '1', time.Hour}}, "11"},
	} {
		var o Once
		start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		got := ""
		for _, x := range tt.in {
			if o.Press(x.way, x.key, start.Add(x.at), x.held) {
				got += string(x.key)
			}
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// More presses than are remembered do no harm.
func TestOnceForgets(t *testing.T) {
	t.Parallel()
	var o Once
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 1000 {
		if now = now.Add(70 * ms); !o.Press(Event, keys[i%16], now, 0) {
			t.Fatalf("press %d is no news", i)
		}
		if o.Press(InSound, keys[i%16], now.Add(30*ms), 0) {
			t.Fatalf("press %d is news twice", i)
		}
	}
}
