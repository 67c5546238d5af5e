package toll

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"callbox/call"
	"callbox/call/number"
)

// SIPAddresses stands in Rule.Allow and Rule.Deny for SIP addresses of other hosts.
const SIPAddresses = "sip"

// Rule is a guard. A zero value of a bound means none.
type Rule struct {
	// Account and Line say whose calls it guards: those of the account, and those
	// that leave by the line or were begun on it. Empty: of every one.
	Account, Line string
	Calls         int           // at a time
	Time          time.Duration // answered, in a day
	Spend         int64         // in a day, in 1/10,000 of the currency's unit, by started minutes
	MonthTime     time.Duration // answered, in a calendar month
	// Texts and MonthTexts are messages of the network, of which a long text takes
	// several, in a day and in a calendar month.
	Texts, MonthTexts int
	// Allow and Deny are countries ("DE"), prefixes of numbers ("+4930", "0900") and
	// [SIPAddresses]. With Allow nothing else may be called. The longest prefix
	// decides; Deny wins over an equal one.
	Allow, Deny []string
	// Open and Close are the times of the day, after midnight, between which calls
	// may begin. Close before Open is a night. Equal: always.
	Open, Close time.Duration
}

// Party is who is called, as the guards see it.
type Party struct {
	Name      string // for sentences
	Number    number.Number
	SIP       bool // a SIP address of another host
	Emergency bool
	Price     int64 // of a minute, in 1/10,000 of the currency's unit
}

// who names what the rule guards, in a sentence.
func (r *Rule) who() string {
	switch {
	case r.Account != "" && r.Line != "":
		return "this account on line " + r.Line
	case r.Line != "":
		return "line " + r.Line
	case r.Account != "":
		return "this account"
	}
	return "this box"
}

// covers reports whether a call of the account that was begun on line from, if on
// any, and leaves by line out, is the rule's affair.
func (r *Rule) covers(account, from, out string) bool {
	return (r.Account == "" || r.Account == account) && (r.Line == "" || r.Line == out || r.Line == from)
}

// match is how many digits of a number an entry of Allow or Deny takes; 0: none.
func match(entry string, p *Party, country string) int {
	switch {
	case entry == SIPAddresses:
		if p.SIP {
			return 1
		}
		return 0
	case p.SIP:
		return 0
	case isCountry(entry):
		if p.Number.Kind != number.E164 {
			if entry == country {
				return 1 // what is dialled without area code stays in the country
			}
			return 0
		}
		c, _ := number.Lookup(entry)
		if p.Number.Country == entry || c.Code != "" && strings.HasPrefix(p.Number.E164, "+"+c.Code) {
			return 1 + len(c.Code)
		}
		return 0
	case strings.HasPrefix(p.Number.E164, entry) || strings.HasPrefix(p.Number.Dialled, entry):
		return len(entry)
	}
	return 0
}

func isCountry(s string) bool {
	return len(s) == 2 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// place checks where a call goes. country is the box's own.
func (r *Rule) place(p *Party, country string) error {
	best := func(list []string) (n int, entry string) {
		for _, e := range list {
			if m := match(e, p, country); m > n {
				n, entry = m, e
			}
		}
		return n, entry
	}
	allowed, _ := best(r.Allow)
	denied, entry := best(r.Deny)
	switch {
	case denied > 0 && denied >= allowed:
		reason := call.TollNumber
		if isCountry(entry) {
			reason = call.TollCountry
		}
		return refuse(reason, "%s may not be called: %s is denied to %s", p.Name, entry, r.who())
	case len(r.Allow) > 0 && allowed == 0:
		return refuse(call.TollCountry, "%s may not be called: %s may call %s only", p.Name, r.who(), strings.Join(r.Allow, ", "))
	}
	return nil
}

// hour checks the time of the day.
func (r *Rule) hour(now time.Time) error {
	if r.Open == r.Close {
		return nil
	}
	t := time.Duration(now.Hour())*time.Hour + time.Duration(now.Minute())*time.Minute
	open := r.Open <= t && t < r.Close
	if r.Close < r.Open {
		open = r.Open <= t || t < r.Close
	}
	if open {
		return nil
	}
	return refuse(call.TollHours, "%s may call from %s to %s only, and it is %s", r.who(), clock(r.Open), clock(r.Close), now.Format("15:04"))
}

func clock(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
}

func refuse(reason call.TollReason, format string, args ...any) error {
	return &call.TollError{Reason: reason, Text: fmt.Sprintf(format, args...)}
}

// cost is what an answered time costs: each started minute counts.
func cost(d time.Duration, price int64) int64 {
	return int64((d+time.Minute-1)/time.Minute) * price
}

// clone is a copy that shares nothing.
func (r Rule) clone() Rule {
	r.Allow, r.Deny = slices.Clone(r.Allow), slices.Clone(r.Deny)
	return r
}
