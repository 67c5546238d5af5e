package toll

import (
	"fmt"
	"sync"
	"time"

	"callbox/call"
)

// recheck is the longest time until a call that uses a day's bound is looked at
// again: others use of the same meanwhile.
const recheck = 10 * time.Second

// Book holds the rules and what the calls of today have used of them. Its
// methods may be called concurrently. The day is that of the times that it is given.
type Book struct {
	mu      sync.Mutex // guards the rest
	rules   []Rule
	country string
	live    map[string]*entry
	sums    map[key]usage // of the day
	months  map[key]usage // of the month
	day     string
	month   string
	refused uint64
}

// entry is a call that was placed.
type entry struct {
	key
	price    int64
	answered time.Time // zero before
}

// key is what rules tell calls apart by.
type key struct{ account, from, out string }

// usage is what ended calls have used.
type usage struct {
	time  time.Duration
	spend int64
	texts int
}

func (u usage) plus(v usage) usage {
	return usage{u.time + v.time, u.spend + v.spend, u.texts + v.texts}
}

// NewBook makes an empty book without rules.
func NewBook() *Book {
	return &Book{live: map[string]*entry{}, sums: map[key]usage{}, months: map[key]usage{}}
}

// Set replaces the rules; country is the box's own (ISO 3166-1 alpha-2). Calls
// that are up keep what they have used, and are measured by the new rules.
func (b *Book) Set(rules []Rule, country string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rules, b.country = nil, country
	for _, r := range rules {
		b.rules = append(b.rules, r.clone())
	}
}

// Admit asks for a call to leave by line out: of an account, begun on the line
// from (empty: by the API). It refuses with a *call.TollError. An admitted call
// counts until Release; a call that tries another line is admitted anew.
func (b *Book) Admit(id, account, from, out string, p *Party, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.live, id)
	k := key{account, from, out}
	if err := b.check(k, p, now); err != nil {
		b.refused++
		return err
	}
	b.live[id] = &entry{key: k, price: p.Price}
	return nil
}

// Check is Admit without the call: whether it would be refused now.
func (b *Book) Check(account, from, out string, p *Party, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.check(key{account, from, out}, p, now)
	if err != nil {
		b.refused++
	}
	return err
}

// check is called with mu held.
func (b *Book) check(k key, p *Party, now time.Time) error {
	if p.Emergency {
		return nil
	}
	b.turn(now)
	for i := range b.rules {
		r := &b.rules[i]
		if !r.covers(k.account, k.from, k.out) {
			continue
		}
		if err := r.place(p, b.country); err != nil {
			return err
		}
		if err := r.hour(now); err != nil {
			return err
		}
		used, calls := b.used(r, now)
		if r.Calls > 0 && calls >= r.Calls {
			return refuse(call.TollCalls, "%s has %d of %d calls up; try again when one has ended", r.who(), calls, r.Calls)
		}
		if err := r.left(used, p.Price); err != nil {
			return err
		}
		if err := r.leftOfMonth(b.usedInMonth(r, now)); err != nil {
			return err
		}
	}
	return nil
}

// left checks the day's bounds.
func (r *Rule) left(used usage, price int64) error {
	if r.Time > 0 && used.time >= r.Time {
		return refuse(call.TollMinutes, "%s has used its %d minutes of today; they begin anew at midnight", r.who(), int(r.Time/time.Minute))
	}
	if r.Spend > 0 && price > 0 && used.spend+price > r.Spend {
		return refuse(call.TollSpend, "%s has spent %s of %s today and a minute costs %s; it begins anew at midnight", r.who(), Money(used.spend), Money(r.Spend), Money(price))
	}
	return nil
}

// leftOfMonth checks the month's minutes.
func (r *Rule) leftOfMonth(used usage) error {
	if r.MonthTime > 0 && used.time >= r.MonthTime {
		return refuse(call.TollMinutes, "%s has used its %d minutes of this month; they begin anew on the first", r.who(), int(r.MonthTime/time.Minute))
	}
	return nil
}

// AdmitTexts asks for n messages of the network to leave by a line, and counts
// them. It refuses with a *call.TollError.
func (b *Book) AdmitTexts(account, line string, n int, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn(now)
	k := key{account, "", line}
	for i := range b.rules {
		r := &b.rules[i]
		if !r.covers(k.account, k.from, k.out) {
			continue
		}
		used, _ := b.used(r, now)
		month := b.usedInMonth(r, now)
		switch {
		case r.Texts > 0 && used.texts+n > r.Texts:
			b.refused++
			return refuse(call.TollMessages, "%s has sent %d of its %d text messages of today and this one takes %d; they begin anew at midnight", r.who(), used.texts, r.Texts, n)
		case r.MonthTexts > 0 && month.texts+n > r.MonthTexts:
			b.refused++
			return refuse(call.TollMessages, "%s has sent %d of its %d text messages of this month and this one takes %d; they begin anew on the first", r.who(), month.texts, r.MonthTexts, n)
		}
	}
	b.add(k, usage{texts: n})
	return nil
}

// RememberTexts adds messages of the network that were sent in the past.
func (b *Book) RememberTexts(account, line string, n int, at, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn(now)
	k, u := key{account, "", line}, usage{texts: n}
	if !at.Before(midnight(now)) {
		b.sums[k] = b.sums[k].plus(u)
	}
	if !at.Before(first(now)) {
		b.months[k] = b.months[k].plus(u)
	}
}

// usedInMonth sums what a rule's calls and texts have used this month. It is
// called with mu held.
func (b *Book) usedInMonth(r *Rule, now time.Time) usage {
	var u usage
	for k, s := range b.months {
		if r.covers(k.account, k.from, k.out) {
			u = u.plus(s)
		}
	}
	for _, e := range b.live {
		if r.covers(e.account, e.from, e.out) {
			u = u.plus(e.since(first(now), now))
		}
	}
	return u
}

// used sums what a rule's calls have used today, and counts those that are up.
// It is called with mu held.
func (b *Book) used(r *Rule, now time.Time) (usage, int) {
	var u usage
	calls := 0
	for k, s := range b.sums {
		if r.covers(k.account, k.from, k.out) {
			u = u.plus(s)
		}
	}
	for _, e := range b.live {
		if r.covers(e.account, e.from, e.out) {
			calls++
			u = u.plus(e.today(now))
		}
	}
	return u, calls
}

// today is what a call has used since midnight.
func (e *entry) today(now time.Time) usage { return e.since(midnight(now), now) }

// since is what a call has used since then.
func (e *entry) since(then, now time.Time) usage {
	if e.answered.IsZero() {
		return usage{}
	}
	d := now.Sub(later(e.answered, then))
	return usage{time: d, spend: cost(d, e.price)}
}

// turn forgets yesterday, and last month. It is called with mu held.
func (b *Book) turn(now time.Time) {
	if day := now.Format(time.DateOnly); day != b.day {
		b.day = day
		clear(b.sums)
	}
	if month := now.Format("2006-01"); month != b.month {
		b.month = month
		clear(b.months)
	}
}

// Answered notes the answer of an admitted call, from which on it uses time. It
// gives what Left gives.
func (b *Book) Answered(id string, now time.Time) (time.Duration, error) {
	b.mu.Lock()
	if e := b.live[id]; e != nil {
		e.answered = now
	}
	b.mu.Unlock()
	return b.Left(id, now)
}

// Left tells after how long, at most, to ask again whether an answered call may
// go on; 0: it is not bounded. The error is a *call.TollError that ends the call.
func (b *Book) Left(id string, now time.Time) (time.Duration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.live[id]
	if e == nil {
		return 0, nil
	}
	b.turn(now)
	var next time.Duration
	for i := range b.rules {
		r := &b.rules[i]
		if r.Time == 0 && r.MonthTime == 0 && (r.Spend == 0 || e.price == 0) || !r.covers(e.account, e.from, e.out) {
			continue
		}
		used, calls := b.used(r, now)
		// The started minute is paid; the next one must still fit.
		inMinute := time.Minute - now.Sub(e.answered)%time.Minute
		if r.Time > 0 && used.time >= r.Time || r.Spend > 0 && e.price > 0 && used.spend > r.Spend {
			return 0, r.left(usage{time: max(used.time, 0), spend: used.spend}, e.price)
		}
		month := b.usedInMonth(r, now)
		if err := r.leftOfMonth(month); err != nil {
			return 0, err
		}
		wait := recheck
		if r.Time > 0 {
			wait = min(wait, max((r.Time-used.time)/time.Duration(max(calls, 1)), time.Second/2))
		}
		if r.MonthTime > 0 {
			wait = min(wait, max((r.MonthTime-month.time)/time.Duration(max(calls, 1)), time.Second/2))
		}
		if r.Spend > 0 && e.price > 0 && used.spend+e.price > r.Spend {
			if inMinute <= time.Second/2 {
				return 0, r.left(used, e.price)
			}
			wait = min(wait, inMinute-time.Second/4)
		}
		if next == 0 || wait < next {
			next = wait
		}
	}
	return next, nil
}

// Release notes the end of a call, or of its attempt.
func (b *Book) Release(id string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.live[id]
	if e == nil {
		return
	}
	delete(b.live, id)
	b.turn(now)
	b.sums[e.key] = b.sums[e.key].plus(e.today(now))
	b.months[e.key] = b.months[e.key].plus(e.since(first(now), now))
}

// Remember adds what an ended call of the past has used, if it was today or this
// month.
func (b *Book) Remember(account, from, out string, price int64, answered, ended, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn(now)
	k := key{account, from, out}
	for _, s := range []struct {
		start time.Time
		sums  map[key]usage
	}{{midnight(now), b.sums}, {first(now), b.months}} {
		if ended.After(s.start) {
			d := ended.Sub(later(answered, s.start))
			s.sums[k] = s.sums[k].plus(usage{time: d, spend: cost(d, price)})
		}
	}
}

func (b *Book) add(k key, u usage) {
	b.sums[k] = b.sums[k].plus(u)
	b.months[k] = b.months[k].plus(u)
}

// first is the beginning of the month.
func first(now time.Time) time.Time {
	y, m, _ := now.Date()
	return time.Date(y, m, 1, 0, 0, 0, 0, now.Location())
}

// Refused is how many calls were refused since the start.
func (b *Book) Refused() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refused
}

func midnight(now time.Time) time.Time {
	y, m, d := now.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, now.Location())
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Money writes an amount in 1/10,000 of the currency's unit as people do, "0.60".
func Money(n int64) string {
	if n%100 == 0 {
		return fmt.Sprintf("%d.%02d", n/10000, n%10000/100)
	}
	return fmt.Sprintf("%d.%04d", n/10000, n%10000)
}
