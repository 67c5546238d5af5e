package main

import (
	"testing"
	"time"

	"callbox/board"
	"callbox/hal"
)

// TestMobileTime: the mobile network's time is used where no time server and no clock
// with a battery tells it.
func TestMobileTime(t *testing.T) {
	now := time.Now()
	network := time.Date(2026, 11, 21, 16, 43, 0, 0, time.UTC)
	told := []hal.ModemState{{}, {NetworkTime: network, NetworkTimeAt: now.Add(-90 * time.Second)}}
	for what, c := range map[string]struct {
		board.Condition
		modems []hal.ModemState
		want   bool
	}{
		"a clock that was never set":     {board.Condition{}, told, true},
		"one that nobody keeps":          {board.Condition{ClockSet: true}, told, true},
		"one that a time server keeps":   {board.Condition{ClockSet: true, ClockKept: true}, told, false},
		"one with a battery":             {board.Condition{ClockSet: true, RTC: "rtc-ds1307"}, told, false},
		"one whose battery is empty":     {board.Condition{RTC: "rtc-ds1307"}, told, true},
		"no modem":                       {board.Condition{}, nil, false},
		"a modem that was told nothing":  {board.Condition{}, told[:1], false},
		"a modem that was told long ago": {board.Condition{}, []hal.ModemState{{NetworkTime: network, NetworkTimeAt: now.Add(-2 * time.Hour)}}, false},
	} {
		got, ok := mobileTime(c.Condition, c.modems, now)
		if ok != c.want || ok && !got.Equal(network.Add(90*time.Second)) {
			t.Errorf("%s: %v, %v", what, got, ok)
		}
	}
}
