package hook

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of one request (call-api.md §3.2, §5.1).
const (
	ConnectTimeout = 5 * time.Second
	ReadTimeout    = 15 * time.Second // from the connection to the end of the answer
	TotalTimeout   = 15 * time.Second // with redirects and retries
	MaxRedirects   = 10
	MaxBody        = 64 << 10 // bytes of a document
)

// tuning is how one URL wants to be asked. It is written in the URL's fragment,
// which is never sent: #ct=ms&rt=ms&tt=ms&rc=0..5&rp=4xx,5xx,ct,rt,all.
type tuning struct {
	connect, read, total time.Duration
	retries              int
	on                   []string // what is retried: "4xx", "5xx", "ct", "rt", "all"
}

// tuned reads the overrides of a fragment. What is not understood is ignored,
// since a fragment may have other uses; what is out of range is moved into it.
func tuned(fragment string) tuning {
	t := tuning{connect: ConnectTimeout, read: ReadTimeout, total: TotalTimeout, retries: 1, on: []string{"ct"}}
	q, err := url.ParseQuery(fragment)
	if err != nil {
		return t
	}
	ms := func(key string, d *time.Duration, most time.Duration) {
		if n, err := strconv.ParseUint(q.Get(key), 10, 31); err == nil {
			*d = min(max(time.Duration(n)*time.Millisecond, 100*time.Millisecond), most)
		}
	}
	ms("ct", &t.connect, 10*time.Second)
	ms("rt", &t.read, ReadTimeout)
	ms("tt", &t.total, TotalTimeout)
	if n, err := strconv.ParseUint(q.Get("rc"), 10, 31); err == nil {
		t.retries = int(min(n, 5))
	}
	if rp := q.Get("rp"); rp != "" {
		t.on = strings.Split(rp, ",")
	}
	return t
}

// retry reports whether the policy names what.
func (t tuning) retry(what string) bool {
	return what != "" && (slices.Contains(t.on, what) || slices.Contains(t.on, "all"))
}

// splitFragment cuts a URL at its fragment.
func splitFragment(raw string) (bare, fragment string) {
	bare, fragment, _ = strings.Cut(raw, "#")
	return bare, fragment
}

// publicURL is a URL for people and logs: without user name, password and
// fragment.
func publicURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unreadable URL)"
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	return u.String()
}
