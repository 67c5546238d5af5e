package route

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"callbox/call"
	"callbox/call/number"
)

// Request asks where a call goes.
type Request struct {
	To   string // as the API or a verb wrote it: number, sip: URI, client:name
	Line string // the line that the request insists on, may be empty
	// Prefer is the one of the open lines that is tried first; empty: the first.
	Prefer string
}

// Attempt is one line to try.
type Attempt struct {
	Line string // Line.ID
	To   string // what to dial on it, as call.Dial.To wants it
}

// Decision is where a call goes, and why.
type Decision struct {
	To        number.Address // what was asked for; the zero value when it could not be read
	Number    number.Number  // of a Phone address
	Emergency bool
	Rule      string    // the rule that decided, empty when it was something else
	Attempts  []Attempt // in order; empty: no route
	Reasons   []string  // the steps of the decision, one sentence each
	// Cause is set when there are no attempts.
	Cause *call.Cause

	failover failover
}

// Next reports whether, after attempt i (from 0) ended unanswered with c, the
// next attempt is to be made, and says why in one sentence.
func (d Decision) Next(i int, c call.Cause) (bool, string) {
	switch {
	case c.Who == call.API || c.Who == call.Script || c.Who == call.Peer:
		return false, "The call was ended by request, so no other line is tried."
	case i < 0 || i >= len(d.Attempts):
		return false, "There is no such attempt."
	case i == len(d.Attempts)-1:
		return false, fmt.Sprintf("Line %s was the last one: %s.", d.Attempts[i].Line, c.Error())
	case d.Emergency || d.failover.wants(c):
		return true, fmt.Sprintf("Line %s failed (%s), line %s is tried next.", d.Attempts[i].Line, c.Error(), d.Attempts[i+1].Line)
	}
	return false, fmt.Sprintf("Line %s ended with %q, which another line would not change.", d.Attempts[i].Line, c.Error())
}

// Explain tells the whole decision in sentences.
func (d Decision) Explain() string {
	out := strings.Join(d.Reasons, " ")
	if d.Cause != nil {
		return strings.TrimSpace(out + " " + d.Cause.Text)
	}
	for i, a := range d.Attempts {
		word := "First"
		if i > 0 {
			word = "Then"
		}
		out += fmt.Sprintf(" %s line %s is called with %q.", word, a.Line, a.To)
	}
	return strings.TrimSpace(out)
}

// Summary is the decision in one sentence, for call.Record.Route.
func (d Decision) Summary() string {
	if d.Cause != nil {
		return d.Cause.Text
	}
	if len(d.Reasons) == 0 {
		return ""
	}
	return d.Reasons[len(d.Reasons)-1]
}

func (d *Decision) because(format string, args ...any) {
	d.Reasons = append(d.Reasons, fmt.Sprintf(format, args...))
}

func (d *Decision) none(q850, sip int, format string, args ...any) Decision {
	d.Attempts = nil
	d.Cause = &call.Cause{Q850: q850, SIP: sip, Who: call.Box, Text: fmt.Sprintf(format, args...)}
	return *d
}

// Decide finds the lines for r. It never fails: a decision without attempts
// says in its Cause why.
func Decide(t *Table, r Request) Decision {
	var d Decision
	d.failover = failover{byDefault: true}
	addr, err := number.ParseAddress(r.To)
	if err != nil {
		return d.none(call.Q850InvalidNumber, 484, "%q cannot be called: %v.", short(r.To), err)
	}
	d.To = addr
	if addr.Kind == number.Phone {
		n, err := number.Parse(addr.User, t.country)
		if err != nil {
			return d.none(call.Q850InvalidNumber, 484, "%q cannot be called: %v.", addr.User, err)
		}
		d.Number = n
		if n.Kind == number.E164 && n.E164 != n.Dialled {
			d.because("%s is %s.", n.Dialled, n.E164)
		}
		if t.emergency(&d, r.Line) {
			return d
		}
	}
	if r.Line != "" {
		return t.forced(&d, r.Line)
	}
	switch addr.Kind {
	case number.Client:
		return t.client(&d)
	case number.SIP:
		return t.uri(&d)
	}
	return t.phone(&d, r.Prefer)
}

// emergency decides calls to emergency services, before anything else. It
// reports false when this is none.
func (t *Table) emergency(d *Decision, line string) bool {
	d.Emergency = d.Number.Kind == number.EmergencyService
	for i := range t.rules {
		r := &t.rules[i]
		if !r.Emergency {
			break // emergency rules come first
		}
		matched, ok := d.Number.Dialled, d.Emergency
		if r.Prefix != "" || r.Pattern != "" {
			matched, ok = r.match(d.Number)
		}
		if !ok {
			continue
		}
		d.Emergency, d.Rule = true, r.Name
		d.because("%s is an emergency number and rule %s is for emergencies.", d.Number.Dialled, r.Name)
		t.insist(d, line)
		to := r.rewrite(d.Number, matched)
		if strings.Trim(to, "+") == "" {
			to = d.Number.Dialled // a rule that eats the whole number must not cost a life
		}
		d.try(r.Lines, to)
		return true
	}
	if !d.Emergency {
		return false
	}
	// Nothing was set up for emergencies: every way out is tried, the number untouched.
	d.because("%s is an emergency number and no rule is for emergencies, so every line of every rule is tried.", d.Number.Dialled)
	t.insist(d, line)
	for i := range t.rules {
		d.try(t.rules[i].Lines, d.Number.Dialled)
	}
	d.try(t.open, d.Number.Dialled)
	if len(d.Attempts) == 0 {
		d.none(call.Q850NoRoute, 404, "No route to the emergency number %s: there is no line out of the box.", d.Number.Dialled)
	}
	return true
}

// insist puts the line that the request named before the others.
func (t *Table) insist(d *Decision, line string) {
	if line != "" && (t.known == nil || slices.Contains(t.known, line)) {
		d.because("Line %s was asked for, so it is tried first.", line)
		d.try([]string{line}, d.Number.Dialled)
	}
}

// try appends attempts on lines that are not yet tried.
func (d *Decision) try(lines []string, to string) {
	for _, line := range lines {
		if !slices.ContainsFunc(d.Attempts, func(a Attempt) bool { return a.Line == line }) {
			d.Attempts = append(d.Attempts, Attempt{line, to})
		}
	}
}

// forced decides a request that names its line.
func (t *Table) forced(d *Decision, line string) Decision {
	if t.known != nil && !slices.Contains(t.known, line) {
		return d.none(call.Q850NoRoute, 404, "Line %q was asked for and does not exist.", line)
	}
	to := d.To.String()
	switch d.To.Kind {
	case number.Phone:
		to = d.Number.String()
	case number.Client:
		to = d.To.User
	}
	d.because("Line %s was asked for.", line)
	d.try([]string{line}, to)
	return *d
}

// client decides client:name.
func (t *Table) client(d *Decision) Decision {
	line, ok := t.names[strings.ToLower(d.To.User)]
	if !ok {
		return d.none(call.Q850Unallocated, 404, "No user or phone is named %q.", d.To.User)
	}
	d.because("%s is a user or phone of this box.", d.To.User)
	d.try([]string{line}, d.To.User)
	return *d
}

// uri decides SIP URIs.
func (t *Table) uri(d *Decision) Decision {
	if t.own(d.To.Host) {
		line, ok := t.names[strings.ToLower(d.To.User)]
		if !ok {
			return d.none(call.Q850Unallocated, 404, "%s is this box, and no user or phone is named %q.", d.To.Host, d.To.User)
		}
		d.because("%s is this box and %s one of its users or phones.", d.To.Host, d.To.User)
		d.try([]string{line}, d.To.User)
		return *d
	}
	if len(t.uriLines) == 0 {
		return d.none(call.Q850NoRoute, 404, "No route to %s: no line may call SIP addresses of other hosts.", d.To.Host)
	}
	d.because("%s is a SIP address of another host.", d.To.String())
	d.try(t.uriLines, d.To.String())
	return *d
}

// own reports whether host means the box.
func (t *Table) own(host string) bool {
	if slices.Contains(t.domains, strings.TrimSuffix(host, ".")) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	return slices.Contains(t.domains, ip.Unmap().String())
}

// phone decides numbers: names of the box first, then the rules in order.
func (t *Table) phone(d *Decision, prefer string) Decision {
	n := d.Number
	for _, s := range [...]string{n.Dialled, n.E164} {
		if line, ok := t.names[strings.ToLower(s)]; ok && s != "" {
			d.because("%s is a user or phone of this box.", s)
			d.try([]string{line}, s)
			return *d
		}
	}
	for i := range t.rules {
		r := &t.rules[i]
		if r.Emergency {
			continue
		}
		matched, ok := r.match(n)
		if !ok {
			continue
		}
		to := r.rewrite(n, matched)
		if to == "" || to == "+" {
			d.because("Rule %s matches %s but leaves no digits to dial.", r.Name, matched)
			continue
		}
		d.Rule, d.failover = r.Name, r.failover
		d.because("%s", r.reason(matched))
		d.try(r.Lines, to)
		return *d
	}
	if len(t.open) > 0 {
		if slices.Contains(t.open, prefer) {
			d.because("Line %s is that of the number that is shown.", prefer)
			d.try([]string{prefer}, n.String())
		}
		d.because("No rule matches %s, so it goes out by the carriers.", n)
		d.try(t.open, n.String())
		return *d
	}
	if len(t.rules) == 0 {
		return d.none(call.Q850NoRoute, 404, "No route to %s: there are no routes.", n)
	}
	return d.none(call.Q850NoRoute, 404, "No route to %s: no rule matches it.", n)
}

// reason says why the rule took a number.
func (r *rule) reason(matched string) string {
	switch {
	case r.Pattern != "":
		return fmt.Sprintf("Rule %s: %s matches %s.", r.Name, matched, r.Pattern)
	case r.Prefix != "":
		return fmt.Sprintf("Rule %s: %s starts with %s.", r.Name, matched, r.Prefix)
	}
	return fmt.Sprintf("Rule %s takes every number.", r.Name)
}

// short keeps a bad address readable in a sentence.
func short(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}
