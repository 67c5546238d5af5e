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
	sums    map[key]usage
	day     string
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
}

// NewBook makes an empty book without rules.
func NewBook() *Book { return &Book{live: map[string]*entry{}, sums: map[key]usage{}} }

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

// used sums what a rule's calls have used today, and counts those that are up.
// It is called with mu held.
func (b *Book) used(r *Rule, now time.Time) (usage, int) {
	var u usage
	calls := 0
	for k, s := range b.sums {
		if r.covers(k.account, k.from, k.out) {
			u.time += s.time
			u.spend += s.spend
		}
	}
	for _, e := range b.live {
		if r.covers(e.account, e.from, e.out) {
			calls++
			s := e.today(now)
			u.time += s.time
			u.spend += s.spend
		}
	}
	return u, calls
}

// today is what a call has used since midnight.
func (e *entry) today(now time.Time) usage {
	if e.answered.IsZero() {
		return usage{}
	}
	d := now.Sub(later(e.answered, midnight(now)))
	return usage{d, cost(d, e.price)}
}

// turn forgets yesterday. It is called with mu held.
func (b *Book) turn(now time.Time) {
	if day := now.Format(time.DateOnly); day != b.day {
		b.day = day
		clear(b.sums)
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
		if r.Time == 0 && (r.Spend == 0 || e.price == 0) || !r.covers(e.account, e.from, e.out) {
			continue
		}
		used, calls := b.used(r, now)
		// The started minute is paid; the next one must still fit.
		inMinute := time.Minute - now.Sub(e.answered)%time.Minute
		if r.Time > 0 && used.time >= r.Time || r.Spend > 0 && e.price > 0 && used.spend > r.Spend {
			return 0, r.left(usage{max(used.time, 0), used.spend}, e.price)
		}
		wait := recheck
		if r.Time > 0 {
			wait = min(wait, max((r.Time-used.time)/time.Duration(max(calls, 1)), time.Second/2))
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
	b.add(e.key, e.today(now))
}

// Remember adds what an ended call of the past has used, if it was today.
func (b *Book) Remember(account, from, out string, price int64, answered, ended, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn(now)
	if !ended.After(midnight(now)) {
		return
	}
	d := ended.Sub(later(answered, midnight(now)))
	b.add(key{account, from, out}, usage{d, cost(d, price)})
}

func (b *Book) add(k key, u usage) {
	s := b.sums[k]
	b.sums[k] = usage{s.time + u.time, s.spend + u.spend}
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
