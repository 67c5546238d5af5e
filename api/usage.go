package api

import (
	"context"
	"time"

	"callbox/call"
)

// Budgets knows what accounts may still spend. It is optional.
type Budgets interface {
	// Left is what the account's calls may still cost today, in 1/10,000 of the
	// currency's unit; ok is false when nothing bounds that.
	Left(account string) (left int64, ok bool)
}

// Usage is what an account has used on a day.
type Usage struct {
	Inbound, Outbound, Recordings Tally
}

// Tally counts something.
type Tally struct {
	Count   int
	Minutes int   // started ones
	Cost    int64 // by the routes' present prices, in 1/10,000 of the currency's unit
}

// Add adds y.
func (t *Tally) Add(y Tally) {
	t.Count, t.Minutes, t.Cost = t.Count+y.Count, t.Minutes+y.Minutes, t.Cost+y.Cost
}

// Add adds y.
func (u *Usage) Add(y Usage) {
	u.Inbound.Add(y.Inbound)
	u.Outbound.Add(y.Outbound)
	u.Recordings.Add(y.Recordings)
}

// usagePage is how many records are looked at together.
const usagePage = 1000

// Usage adds up, by days of UTC, the answered calls of the account that began from
// from until until (inclusive; zero: open) and have ended, and the recordings that
// were made then. The records that the box still has count.
func (h *Handlers) Usage(ctx context.Context, account string, from, until time.Time) (map[time.Time]Usage, error) {
	days := map[time.Time]Usage{}
	add := func(at time.Time, u Usage) {
		day := at.UTC().Truncate(24 * time.Hour)
		sum := days[day]
		sum.Add(u)
		days[day] = sum
	}
	calls := call.Filter{Account: account, StartedAfter: from, StartedUntil: until, Limit: usagePage}
	for {
		p, err := h.Calls.Calls(ctx, calls)
		if err != nil {
			return nil, err
		}
		for _, r := range p.Records {
			if r.Answered != nil && r.Ended != nil {
				add(*r.Answered, h.used(r))
			}
		}
		if calls.Cursor = p.Next; calls.Cursor == "" {
			break
		}
	}
	tapes := call.RecordingFilter{Account: account, CreatedAfter: from, CreatedBefore: until, Limit: usagePage}
	for {
		p, err := h.Recordings.Recordings(ctx, tapes)
		if err != nil {
			return nil, err
		}
		for _, r := range p.Recordings {
			if r.Status == "completed" {
				add(r.Created, Usage{Recordings: Tally{Count: 1, Minutes: minutes(r.Duration)}})
			}
		}
		if tapes.Cursor = p.Next; tapes.Cursor == "" {
			return days, nil
		}
	}
}

// used is what an answered call has used.
func (h *Handlers) used(r call.Record) Usage {
	t := Tally{Count: 1, Minutes: minutes(r.Ended.Sub(*r.Answered))}
	if r.Direction == call.Inbound {
		return Usage{Inbound: t}
	}
	if h.Prices != nil {
		t.Cost = int64(t.Minutes) * h.Prices.PerMinute(r.To, "")
	}
	return Usage{Outbound: t}
}

// minutes are those that have started.
func minutes(d time.Duration) int { return int((d + time.Minute - 1) / time.Minute) }
