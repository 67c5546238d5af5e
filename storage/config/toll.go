package config

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Toll guards what calls out of the box cost: those of an account, those that
// leave by a line or were begun on it, or, without either, all. What is empty or 0
// is not bounded. Emergency calls and calls between the box's own phones always pass.
type Toll struct {
	Account      string `json:"account,omitempty"`       // Account.ID
	Line         string `json:"line,omitempty"`          // a trunk, user or phone port
	Calls        int    `json:"calls,omitempty"`         // at a time
	Minutes      int    `json:"minutes,omitempty"`       // answered, in a day
	Spend        Price  `json:"spend,omitempty"`         // in a day, by Route.Price; each started minute counts
	MonthMinutes int    `json:"month_minutes,omitempty"` // answered, in a calendar month
	// Messages and MonthMessages are text messages as the network counts them, a long
	// text as several, in a day and in a calendar month.
	Messages      int `json:"messages,omitempty"`
	MonthMessages int `json:"month_messages,omitempty"`
	// Allow and Deny are countries (DE), prefixes of numbers (+4930, 0900), and sip
	// for SIP addresses of other hosts. With Allow nothing else may be called. The
	// longest prefix decides, Deny before an equal Allow. Countries that share a
	// code (US, CA) are one.
	Allow []string `json:"allow,omitempty"`
	Deny  []string `json:"deny,omitempty"`
	// Hours are the times of the day, by the box's clock, between which calls may
	// begin: "07:00-19:30", or over midnight "22:00-06:00".
	Hours string `json:"hours,omitempty"`
}

func (t Toll) key() string { return t.Account + " " + t.Line }

var (
	hoursSyntax = regexp.MustCompile(`^([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)$`)
	placeSyntax = regexp.MustCompile(`^([A-Z]{2}|sip|\+?[0-9*#]{1,31})$`)
	errHours    = errors.New(`is not a time of the day such as "07:00-19:30"`)
)

// Open gives Hours as times after midnight; both 0 when Hours is empty.
func (t Toll) Open() (from, until time.Duration, err error) {
	if t.Hours == "" {
		return 0, 0, nil
	}
	var h1, m1, h2, m2 time.Duration
	if _, err := fmt.Sscanf(t.Hours, "%d:%d-%d:%d", &h1, &m1, &h2, &m2); err != nil || !hoursSyntax.MatchString(t.Hours) {
		return 0, 0, fmt.Errorf("%q %w", t.Hours, errHours)
	}
	from, until = h1*time.Hour+m1*time.Minute, h2*time.Hour+m2*time.Minute
	if from == until || from >= day || until > day {
		return 0, 0, fmt.Errorf("%q %w", t.Hours, errHours)
	}
	return from, until, nil
}

func (v *validator) tolls(list []Toll) {
	seen := map[string]bool{}
	for i, t := range list {
		f := fmt.Sprintf("tolls[%d]", i)
		if t.Account != "" && !v.accts[t.Account] {
			v.bad(f+".account", "there is no account %q", t.Account)
		}
		if t.Line != "" {
			v.knownLine(f+".line", t.Line)
		}
		if seen[t.key()] {
			v.bad(f, "there is an entry for this account and line already; put both in one")
		}
		seen[t.key()] = true
		v.between(f+".calls", t.Calls, 0, 10_000)
		v.between(f+".minutes", t.Minutes, 0, 1_000_000)
		v.between(f+".month_minutes", t.MonthMinutes, 0, 1_000_000)
		v.between(f+".messages", t.Messages, 0, 1_000_000)
		v.between(f+".month_messages", t.MonthMessages, 0, 1_000_000)
		for _, l := range []struct {
			name string
			list []string
		}{{"allow", t.Allow}, {"deny", t.Deny}} {
			if len(l.list) > maxEntries {
				v.bad(f+"."+l.name, "%d entries, at most %d", len(l.list), maxEntries)
			}
			for j, p := range l.list {
				if !placeSyntax.MatchString(p) {
					v.bad(fmt.Sprintf("%s.%s[%d]", f, l.name, j), "%q is not a country such as DE, a prefix such as +4930, or sip", p)
				}
			}
		}
		if _, _, err := t.Open(); err != nil {
			v.bad(f+".hours", "%v", err)
		}
	}
}
