//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestSlowReceiver: a receiver of status callbacks that takes its time, or that
// is down, delays no call and gets everything in order in the end.
func TestSlowReceiver(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g, port := trunked(t, a, "")
	a.doc("/voice", `<Response><Pause length="1"/></Response>`)
	slow := a.handle("/slow", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(10 * time.Second):
		case <-r.Context().Done():
		}
	})
	startSIPp(t, port, 3, recv("INVITE")+established+hungUp)
	for name, receiver := range map[string]string{"none": "", "slow": slow, "down": "http://127.0.0.1:9/"} {
		form := url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"},
			"StatusCallbackEvent": {"initiated", "ringing", "answered", "completed"}}
		if receiver != "" {
			form.Set("StatusCallback", receiver)
		}
		began := time.Now()
		sid := g.create(form)
		created := time.Since(began)
		g.until(sid, "in-progress")
		answered := time.Since(began)
		g.until(sid, "completed")
		t.Logf("receiver %s: created in %s, answered after %s, over after %s", name, created, answered, time.Since(began))
		if created > 5*time.Second || time.Since(began) > 9*time.Second {
			t.Errorf("receiver %s: the call was delayed", name)
		}
	}
	a.until("/slow", 2)
	if got := strings.Join(a.statuses("/slow")[:2], " "); got != "initiated ringing" {
		t.Errorf("the slow receiver was told %s", got)
	}
}

// TestFallback: when a document cannot be had, the fallback is asked instead and
// told why, with the vendor's numbers; without a fallback the call ends and its
// record says why.
func TestFallback(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	document := func(size int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			doc := `<Response><Redirect>/reached</Redirect></Response>`
			w.Header().Set("Content-Type", "text/xml")
			fmt.Fprint(w, doc[:10]+strings.Repeat(" ", size-len(doc))+doc[10:])
		}
	}
	a := newApp(t)
	a.doc("/fallback", `<Response><Hangup/></Response>`)
	a.doc("/reached", `<Response><Hangup/></Response>`)
	const gone = "http://127.0.0.1:9/voice" // nobody listens there
	type failure struct {
		main string // the URL of the document
		code string // ErrorCode at the fallback, empty: it is not asked
	}
	cases := map[string]failure{
		"HTTP 500":      {a.handle("/500", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }), "11200"},
		"HTTP 404":      {a.handle("/404", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }), "11200"},
		"nobody there":  {gone, "11205"},
		"too slow":      {a.handle("/late", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }) + "#tt=1000", "11205"},
		"not XML":       {a.doc("/bad", `<Response><Say>`), "12100"},
		"64 kB":         {a.handle("/fits", document(limit)), ""},
		"64 kB and one": {a.handle("/large", document(limit+1)), "11750"},
		"no end": {a.handle("/endless", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := fmt.Fprint(w, strings.Repeat("<!-- more -->", 1000)); err != nil {
					return
				}
			}
		}), "11750"},
	}
	g, port := trunked(t, a, "")
	startSIPp(t, port, len(cases)+1, recv("INVITE")+established+hungUp)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {tc.main}, "FallbackUrl": {a.URL + "/fallback"}})
			g.until(sid, "completed")
			var asked, reached []asked
			for _, r := range a.requests("/fallback") {
				if r.form.Get("CallSid") == sid {
					asked = append(asked, r)
				}
			}
			for _, r := range a.requests("/reached") {
				if r.form.Get("CallSid") == sid {
					reached = append(reached, r)
				}
			}
			if tc.code == "" {
				if len(asked) != 0 || len(reached) != 1 {
					t.Errorf("the document was not taken: fallback asked %d times", len(asked))
				}
				return
			}
			bare, _, _ := strings.Cut(tc.main, "#")
			if len(asked) != 1 || asked[0].form.Get("ErrorCode") != tc.code || asked[0].form.Get("ErrorUrl") != bare {
				t.Errorf("the fallback was told %v, want ErrorCode %s", asked, tc.code)
			}
		})
	}
	t.Run("no fallback", func(t *testing.T) {
		t.Parallel()
		sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {gone}})
		g.until(sid, "completed")
		if out := g.run("calls", "-o", "json"); !strings.Contains(out, "11205") && !strings.Contains(out, "refused") {
			t.Errorf("the record does not say why:\n%s", out)
		}
	})
}
