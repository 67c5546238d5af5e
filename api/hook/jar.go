package hook

import (
	"container/list"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"sync"
)

// Limits of the cookies kept for calls (call-api.md §5.1: "cookies kept per call").
const (
	maxJars    = 256  // calls; beyond, the call that asked longest ago starts afresh
	maxCookies = 50   // per call; further new ones are ignored
	maxCookie  = 4096 // bytes of name and value
)

// jars keeps the cookies of the calls that asked last.
type jars struct {
	mu    sync.Mutex               // guards all below
	order *list.List               // of *jar, last used first
	of    map[string]*list.Element // by call id
}

func newJars() *jars { return &jars{order: list.New(), of: make(map[string]*list.Element)} }

// get gives the call's jar.
func (j *jars) get(id string) *jar {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e, ok := j.of[id]; ok {
		j.order.MoveToFront(e)
		return e.Value.(*jar)
	}
	if j.order.Len() >= maxJars {
		last := j.order.Back()
		delete(j.of, last.Value.(*jar).call)
		j.order.Remove(last)
	}
	inner, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // New has no failure without options
	}
	n := &jar{call: id, inner: inner, known: make(map[string]bool)}
	j.of[id] = j.order.PushFront(n)
	return n
}

// drop forgets the call's jar.
func (j *jars) drop(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e, ok := j.of[id]; ok {
		delete(j.of, id)
		j.order.Remove(e)
	}
}

// jar is a cookie jar with a bound.
type jar struct {
	call  string
	inner *cookiejar.Jar
	mu    sync.Mutex
	known map[string]bool // names of the cookies taken; mu
}

var _ http.CookieJar = (*jar)(nil)

// SetCookies takes the cookies that fit.
func (j *jar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var take []*http.Cookie
	for _, k := range cookies {
		key := u.Hostname() + " " + k.Domain + " " + k.Path + " " + k.Name
		if len(k.Name)+len(k.Value) > maxCookie || !j.known[key] && len(j.known) >= maxCookies {
			continue
		}
		j.known[key] = true
		take = append(take, k)
	}
	j.inner.SetCookies(u, take)
}

// Cookies gives the cookies for u.
func (j *jar) Cookies(u *url.URL) []*http.Cookie { return j.inner.Cookies(u) }
