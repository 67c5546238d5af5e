//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestCreateLoad places 200 calls at 20 a second and prints how long the API and
// the trunk take; how long is judged by people, that every call was placed and
// ended as it should is judged here.
func TestCreateLoad(t *testing.T) {
	const n, pace = 200, 50 * time.Millisecond
	a := newApp(t)
	g, port := trunked(t, a, "")
	a.doc("/voice", `<Response><Pause length="2"/></Response>`)
	s := startSIPp(t, port, n, recv("INVITE")+established+hungUp)
	form := url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}, "StatusCallback": {a.URL + "/status"},
		"StatusCallbackEvent": {"initiated", "ringing", "answered", "completed"}}
	var (
		mu      sync.Mutex
		took    []time.Duration
		refused []int
		posts   sync.WaitGroup
	)
	began := time.Now()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for i := range n {
		for time.Since(began) < time.Duration(i)*pace {
			<-tick.C
		}
		posts.Go(func() {
			began := time.Now()
			code, _ := g.post("/Calls.json", form)
			d := time.Since(began)
			mu.Lock()
			defer mu.Unlock()
			if took = append(took, d); code != http.StatusCreated {
				refused = append(refused, code)
			}
		})
	}
	posts.Wait()
	made := time.Since(began)
	if len(refused) > 0 {
		t.Fatalf("%d creates were refused: %v", len(refused), refused)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.succeeds(ctx)
	poll(t, "every callback", func() bool { return len(a.requests("/status")) >= 4*n })
	byCall, ringing := map[string][]string{}, []time.Duration{}
	initiated := map[string]time.Time{}
	for _, r := range a.requests("/status") {
		sid, status := r.form.Get("CallSid"), r.form.Get("CallStatus")
		byCall[sid] = append(byCall[sid], status)
		switch status {
		case "initiated":
			initiated[sid] = r.at
		case "completed":
			ringing = append(ringing, r.at.Sub(initiated[sid]))
		}
	}
	for sid, got := range byCall {
		if !slices.Equal(got, []string{"initiated", "ringing", "in-progress", "completed"}) {
			t.Errorf("callbacks of %s: %v", sid, got)
		}
	}
	if len(byCall) != n {
		t.Errorf("callbacks of %d calls, want %d", len(byCall), n)
	}
	slices.Sort(took)
	slices.Sort(ringing)
	t.Logf("%d creates in %s: p50 %s, p90 %s, p99 %s, max %s; first to last callback of a call of 2 s: p50 %s, p99 %s", n, made.Round(time.Millisecond),
		took[n/2], took[n*9/10], took[n*99/100], took[n-1], ringing[len(ringing)/2], ringing[len(ringing)*99/100])
	m := g.metrics()
	t.Logf("RSS %.1f MiB, CPU %.2f s, goroutines %v", m["process_resident_memory_bytes"]/1048576, m["process_cpu_seconds_total"], m["go_goroutines"])
}
