//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"
)

// app is the customer's application: it serves documents and sounds, and keeps
// every request that the gateway made.
type app struct {
	*httptest.Server
	t *testing.T

	mu    sync.Mutex
	docs  map[string]string
	wavs  map[string][]byte
	odd   map[string]http.HandlerFunc
	heard []asked
}

// asked is one request of the gateway.
type asked struct {
	method string
	path   string
	uri    string // the path with the query
	form   url.Values
	post   url.Values // of the body alone
	header http.Header
	at     time.Time
}

func newApp(t *testing.T) *app {
	a := &app{t: t, docs: map[string]string{}, wavs: map[string][]byte{}, odd: map[string]http.HandlerFunc{}}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

// doc serves TwiML at path and gives its URL.
func (a *app) doc(path, twiml string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.docs[path] = twiml
	return a.URL + path
}

// wav serves sound at path and gives its URL.
func (a *app) wav(path string, s []int16) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wavs[path] = wavBytes(s)
	return a.URL + path
}

// handle lets f answer at path and gives its URL.
func (a *app) handle(path string, f http.HandlerFunc) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.odd[path] = f
	return a.URL + path
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	a.mu.Lock()
	a.heard = append(a.heard, asked{method: r.Method, path: r.URL.Path, uri: r.RequestURI, form: r.Form, post: r.PostForm, header: r.Header, at: time.Now()})
	doc, isDoc := a.docs[r.URL.Path]
	wav, isWAV := a.wavs[r.URL.Path]
	odd := a.odd[r.URL.Path]
	a.mu.Unlock()
	switch {
	case odd != nil:
		odd(w, r)
	case isWAV:
		w.Header().Set("Content-Type", "audio/wav")
		w.Write(wav)
	case isDoc:
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprint(w, doc)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// requests gives the requests to path so far.
func (a *app) requests(path string) []asked {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []asked
	for _, r := range a.heard {
		if r.path == path {
			out = append(out, r)
		}
	}
	return out
}

// statuses gives the CallStatus of every callback to path, in order.
func (a *app) statuses(path string) []string {
	var out []string
	for _, r := range a.requests(path) {
		out = append(out, r.form.Get("CallStatus"))
	}
	return out
}

// until waits for the n-th request to path.
func (a *app) until(path string, n int) asked {
	a.t.Helper()
	poll(a.t, fmt.Sprintf("request %d to %s", n, path), func() bool { return len(a.requests(path)) >= n })
	return a.requests(path)[n-1]
}
