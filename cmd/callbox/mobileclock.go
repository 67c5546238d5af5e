package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"callbox/board"
	"callbox/hal"
)

const (
	// mobileNetwork is who has set the clock.
	mobileNetwork = "the mobile network"
	// clockPace is how often the clock is compared with that of the mobile network.
	clockPace = 10 * time.Second
	// clockOff is by how much it may differ: modems tell seconds, and take their time.
	clockOff = 5 * time.Second
	// clockOld is how long ago the network may have told its time.
	clockOld = time.Hour
)

// watchClock has the clock follow the mobile network's where nothing better tells the
// time, until ctx ends.
func (p *panel) watchClock(ctx context.Context) error {
	t := time.NewTicker(clockPace)
	defer t.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		now := time.Now()
		modems := p.modemStates()
		if len(modems) == 0 {
			continue
		}
		right, ok := mobileTime(p.condition(), modems, now)
		if !ok {
			continue
		}
		if off := right.Sub(now); off.Abs() > clockOff {
			if err := setClock(right); err != nil {
				if !failed {
					p.log.Warn("the clock cannot be set", "by", mobileNetwork, "off", off.Round(time.Second), "err", err)
				}
				failed = true
				continue
			}
			p.log.Info("the clock was set", "by", mobileNetwork, "off", off.Round(time.Second))
		}
		p.mobile.Store(true)
	}
}

// modemStates are those of real modems: simulated ones know no time but the box's.
func (p *panel) modemStates() []hal.ModemState {
	var out []hal.ModemState
	for _, port := range p.app.board.Ports {
		if port.GSM != nil && port.Far == nil {
			out = append(out, port.GSM.State())
		}
	}
	return out
}

// mobileTime is the time by the mobile network; ok is false when something better tells
// it (a time server, or a clock with a battery that shows a time that can be), or no
// modem has told it lately.
func mobileTime(c board.Condition, modems []hal.ModemState, now time.Time) (right time.Time, ok bool) {
	if c.ClockKept || c.ClockSet && c.RTC != "" {
		return time.Time{}, false
	}
	for _, m := range modems {
		// By the clock that only counts, which setting the other does not move.
		if age := now.Sub(m.NetworkTimeAt); !m.NetworkTime.IsZero() && age >= 0 && age < clockOld {
			return m.NetworkTime.Add(age), true
		}
	}
	return time.Time{}, false
}

// setClock sets the machine's clock.
func setClock(t time.Time) error {
	tv := unix.NsecToTimeval(t.UnixNano())
	if err := unix.Settimeofday(&tv); err != nil {
		return fmt.Errorf("set the clock: %w", err)
	}
	return nil
}
