package laml

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"callbox/api"
	"callbox/call"
)

// Usage records are sums of the records of calls and recordings, and the balance is
// what the guards against calls that cost too much leave for today.

// UsageRecord is a sum of one category over some days.
type UsageRecord struct {
	Category   usageCategory
	From, Last time.Time // days of UTC, both included
	Now        time.Time
	Sum        api.Tally
}

// usageCategory is something that is added up.
type usageCategory struct {
	name, says, counts string
	of                 func(u api.Usage) api.Tally
}

// usageCategories are those that the box has something to say about.
var usageCategories = []usageCategory{
	{"calls", "Voice Minutes", "calls", func(u api.Usage) api.Tally { u.Inbound.Add(u.Outbound); return u.Inbound }},
	{"calls-inbound", "Inbound Voice Minutes", "calls", func(u api.Usage) api.Tally { return u.Inbound }},
	{"calls-outbound", "Outbound Voice Minutes", "calls", func(u api.Usage) api.Tally { return u.Outbound }},
	{"recordings", "Recordings", "recordings", func(u api.Usage) api.Tally { return u.Recordings }},
	{"totalprice", "Total Price", "", func(u api.Usage) api.Tally { return api.Tally{Cost: u.Outbound.Cost} }},
}

// usageSpans are the lists below Usage/Records, by the last part of their path.
var usageSpans = []string{"", "AllTime", "Daily", "LastMonth", "Monthly", "ThisMonth", "Today", "Yearly", "Yesterday"}

var usageKeys = []string{
	"account_sid", "api_version", "as_of", "category", "count", "count_unit", "description", "end_date", "price", "price_unit",
	"start_date", "subresource_uris", "uri", "usage", "usage_unit",
}

var usageFields = map[string]func(View[UsageRecord]) any{
	"account_sid": account[UsageRecord], "api_version": version[UsageRecord],
	"as_of":       func(v View[UsageRecord]) any { return v.X.Now.UTC().Format("2006-01-02T15:04:05+00:00") },
	"category":    func(v View[UsageRecord]) any { return v.X.Category.name },
	"count":       func(v View[UsageRecord]) any { return v.Text(countOf(v.X, v.X.Sum.Count)) },
	"count_unit":  func(v View[UsageRecord]) any { return v.Text(v.X.Category.counts) },
	"description": func(v View[UsageRecord]) any { return v.X.Category.says },
	"start_date":  func(v View[UsageRecord]) any { return v.X.From.Format(time.DateOnly) },
	"end_date":    func(v View[UsageRecord]) any { return v.X.Last.Format(time.DateOnly) },
	"price":       func(v View[UsageRecord]) any { return amount(v.X.Sum.Cost) },
	"price_unit":  func(View[UsageRecord]) any { return "usd" },
	"usage": func(v View[UsageRecord]) any {
		if v.X.Category.counts == "" {
			return amount(v.X.Sum.Cost)
		}
		return strconv.Itoa(v.X.Sum.Minutes)
	},
	"usage_unit": func(v View[UsageRecord]) any {
		if v.X.Category.counts == "" {
			return "usd"
		}
		return "minutes"
	},
	"uri": func(v View[UsageRecord]) any { return v.Path + ".json?" + usageQuery(v.X) },
	"subresource_uris": func(v View[UsageRecord]) any {
		list := object{}
		for _, span := range usageSpans[1:] {
			name := strings.ReplaceAll(strings.ToLower(words(span)), " ", "_")
			list = append(list, pair{name, v.Path + "/" + span + ".json?Category=" + v.X.Category.name})
		}
		return list
	},
}

// countOf is a number of things; empty where nothing is counted.
func countOf(u UsageRecord, n int) string {
	if u.Category.counts == "" {
		return ""
	}
	return strconv.Itoa(n)
}

func usageQuery(u UsageRecord) string {
	return url.Values{"Category": {u.Category.name}, "StartDate": {u.From.Format(time.DateOnly)}, "EndDate": {u.Last.Format(time.DateOnly)}}.Encode()
}

// amount writes money, given in 1/10,000 of the currency's unit.
func amount(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%04d", sign, n/10000, n%10000)
}

// usageRoutes are the paths of the usage and of the balance.
func usageRoutes(suffixes []string) []route {
	list := []route{{
		path: "Balance", suffixes: suffixes, acts: map[string]act{"GET": rest.balance},
		about: map[string]operation{"GET": {summary: "Tell what the account may still spend today", element: "Balance"}},
	}}
	for _, span := range usageSpans {
		path, says := "Usage/Records", "over all time, or from StartDate to EndDate"
		if span != "" {
			path, says = path+"/"+span, strings.ToLower(words(span))
		}
		list = append(list, route{
			path: path, suffixes: suffixes,
			acts: map[string]act{"GET": func(s rest, w http.ResponseWriter, q *api.Request) { s.listUsage(w, q, span) }},
			about: map[string]operation{"GET": {
				summary: "List what the account's calls and recordings have used: " + says, params: usageFilters, element: "UsageRecord", list: "usage_records",
			}},
		})
	}
	return list
}

// usageFilters are the filters of a list of usage records.
var usageFilters = WithPaging(
	Param{Name: "Category", Kind: Text, Max: 64},
	Param{Name: "StartDate", Kind: Match, Pattern: isUsageDate, Hint: usageDateHint},
	Param{Name: "EndDate", Kind: Match, Pattern: isUsageDate, Hint: usageDateHint},
	Param{Name: "IncludeSubaccounts", Kind: Ignored},
)

const usageDateHint = "a day, such as 2006-01-02, or a number of days before today, such as -30days"

func isUsageDate(s string) bool {
	_, ok := usageDate(s, time.Time{})
	return ok
}

// usageDate reads a day: a date, or a number of days before or after today.
func usageDate(s string, today time.Time) (time.Time, bool) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, true
	}
	if days, ok := strings.CutSuffix(s, "days"); ok {
		n, err := strconv.Atoi(days)
		return today.AddDate(0, 0, n), err == nil && n > -36600 && n < 36600
	}
	return today, false
}

// listUsage answers with a list of sums.
func (s rest) listUsage(w http.ResponseWriter, q *api.Request, span string) {
	form, err := parseForm(q.URL.RawQuery)
	var v Values
	if err == nil {
		v, _, err = readValues(form, usageFilters)
	}
	var list []UsageRecord
	if err == nil {
		list, err = s.usage(q, v, span)
	}
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	writeFiltered(s, w, q, usageFilters, "UsageRecord", "usage_records", list,
		func(v Values, u UsageRecord) bool { return matches(v, "Category", u.Category.name) },
		func(u UsageRecord) any {
			return Resource[UsageRecord]{Keys: usageKeys}.render(usageFields, viewOf(s.Dialect, u, q.Account.ID, "/Usage/Records"))
		})
}

// usage adds up what a list shows, the latest first.
func (s rest) usage(q *api.Request, v Values, span string) ([]UsageRecord, error) {
	now := time.Now()
	today := now.UTC().Truncate(24 * time.Hour)
	from, last := usageSpan(span, today)
	if d, ok := usageDate(v.Text("StartDate"), today); ok && d.After(from) {
		from = d
	}
	if d, ok := usageDate(v.Text("EndDate"), today); ok && d.Before(last) {
		last = d
	}
	days, err := s.h.Usage(q.Context(), q.Account.ID, from, last.AddDate(0, 0, 1).Add(-time.Nanosecond))
	if err != nil {
		return nil, err
	}
	if from.IsZero() {
		from = last
		for day := range days {
			from = earlier(from, day)
		}
	}
	parts := map[time.Time]api.Usage{} // by their first days
	for day, u := range days {
		part := usagePart(span, from, day)
		sum := parts[part]
		sum.Add(u)
		parts[part] = sum
	}
	if len(parts) == 0 || usageEach[span] == nil {
		first := usagePart(span, from, last)
		if _, ok := parts[first]; !ok {
			parts[first] = api.Usage{} // what was not used is told as well
		}
	}
	var list []UsageRecord
	for _, part := range slices.SortedFunc(maps.Keys(parts), func(a, b time.Time) int { return b.Compare(a) }) {
		end := last
		if next := usageEach[span]; next != nil {
			end = earlier(last, next(part).AddDate(0, 0, -1))
		}
		for _, c := range usageCategories {
			list = append(list, UsageRecord{Category: c, From: part, Last: end, Now: now, Sum: c.of(parts[part])})
		}
	}
	return list, nil
}

// usageSpan are the days that a list is about; from is zero where it is open.
func usageSpan(span string, today time.Time) (from, last time.Time) {
	month := today.AddDate(0, 0, 1-today.Day())
	switch span {
	case "Today":
		return today, today
	case "Yesterday":
		return today.AddDate(0, 0, -1), today.AddDate(0, 0, -1)
	case "ThisMonth":
		return month, today
	case "LastMonth":
		return month.AddDate(0, -1, 0), month.AddDate(0, 0, -1)
	}
	return time.Time{}, today
}

// usageEach gives, for lists with a sum of each day, month or year, the beginning of
// the next one.
var usageEach = map[string]func(time.Time) time.Time{
	"Daily":   func(t time.Time) time.Time { return t.AddDate(0, 0, 1) },
	"Monthly": func(t time.Time) time.Time { return t.AddDate(0, 1, 1-t.Day()) },
	"Yearly":  func(t time.Time) time.Time { return time.Date(t.Year()+1, 1, 1, 0, 0, 0, 0, time.UTC) },
}

// usagePart is the first day of the sum that day belongs to.
func usagePart(span string, from, day time.Time) time.Time {
	part := from
	switch span {
	case "Daily":
		part = day
	case "Monthly":
		part = day.AddDate(0, 0, 1-day.Day())
	case "Yearly":
		part = time.Date(day.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if part.Before(from) {
		return from
	}
	return part
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Balance is what an account may still spend, in 1/10,000 of the currency's unit.
type Balance struct{ Left int64 }

var balanceKeys = []string{"account_sid", "balance", "currency"}

var balanceFields = map[string]func(View[Balance]) any{
	"account_sid": account[Balance], "currency": usd[Balance],
	"balance": func(v View[Balance]) any { return amount(v.X.Left) },
}

// balance answers with what the account may still spend today.
func (s rest) balance(w http.ResponseWriter, q *api.Request) {
	var left int64
	ok := false
	if s.h.Budgets != nil {
		left, ok = s.h.Budgets.Left(q.Account.ID)
	}
	if !ok {
		p := refuse(CodeNotFound, "This account has no balance: calls are paid to the operators of the lines, and no guard bounds what they cost a day")
		p.err = call.ErrNotFound
		s.WriteError(w, q.Request, p)
		return
	}
	v := viewOf(s.Dialect, Balance{left}, q.Account.ID, "/Balance")
	s.write(w, q.Request, Answer{http.StatusOK, "Balance", Resource[Balance]{Keys: balanceKeys}.render(balanceFields, v)})
}
