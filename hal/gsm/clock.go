package gsm

import (
	"fmt"
	"time"

	"callbox/hal"
	"callbox/hal/at"
)

// clockTime is how often the network's time is asked for.
const clockTime = 10 * time.Minute

// clockSlow is how long the answer may take to be worth something.
const clockSlow = 2 * time.Second

// askClock asks for the network's time.
func (p *Port) askClock() {
	if registered, _, _ := p.s.net.state(); !registered || p.s.row.clock == "" {
		return
	}
	p.every("clock", clockTime, func(s *session) {
		asked := time.Now()
		r, err := s.ask(s.row.clock, at.Radio, s.row.clockStart)
		now := time.Now()
		if err != nil || now.Sub(asked) > clockSlow {
			return
		}
		if t, ok := clockOf(r.Value(s.row.clockStart), s.row.clockUTC); ok {
			s.later(func() { p.update(func(m *hal.ModemState) { m.NetworkTime, m.NetworkTimeAt = t, now }) })
		}
	})
}

// firstYear is one before which no network's time can be: modems that were told none
// begin in 1970, 1980 or 2004.
const firstYear = 2026

// clockOf reads a time (TS 27.007 §8.15). The zone is in quarters of an hour; the time
// itself is local unless utc says that it is not.
//
//	+CCLK: "26/11/21,17:43:00+04"
//	+QLTS: "2026/11/21,16:43:00+04,0"     summer time is in the zone already
func clockOf(answer string, utc bool) (time.Time, bool) {
	f := at.Fields(answer)
	if len(f) == 0 {
		return time.Time{}, false
	}
	var year, month, day, hour, minute, second, zone int
	if _, err := fmt.Sscanf(f[0], "%d/%d/%d,%d:%d:%d%d", &year, &month, &day, &hour, &minute, &second, &zone); err != nil {
		return time.Time{}, false
	}
	if year < 100 {
		year += 2000
	}
	if year < firstYear || year > firstYear+40 || month < 1 || month > 12 || day < 1 || day > 31 ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 || zone < -56 || zone > 56 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	if t.Add(-time.Minute).Day() != day && t.Day() != day { // the month is shorter
		return time.Time{}, false
	}
	if !utc {
		t = t.Add(-time.Duration(zone) * 15 * time.Minute)
	}
	return t, true
}
