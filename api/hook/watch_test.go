package hook

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/api"
	"callbox/call/script"
)

// TestWatch: each message that fails is told once when it begins to fail, and a
// receiver that does not answer once as a whole.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &outbox{})
		var mu sync.Mutex
		told := map[string]int{}
		w.Watch(func(o api.Outgoing, err error) {
			var fe *script.FetchError
			if !errors.As(err, &fe) {
				t.Errorf("%v", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			told[o.URL+" "+o.Params[1].Value]++
			if fe.Code == codeStatus && fe.Status == 0 || fe.URL == "" {
				t.Errorf("%+v", fe)
			}
		})
		var tries int
		w.answer = func(_ context.Context, a arrival) error {
			switch {
			case a.note == "refused":
				return &statusError{404}
			case a.note == "repeated":
				if tries++; tries < 4 {
					return &statusError{500}
				}
			case a.url == hostB:
				return &wireError{err: errConnectTime}
			}
			return nil
		}
		w.tell("c1", hostA, "refused", "fine")
		w.tell("c2", hostA, "repeated")
		w.tell("c3", hostB, "lost")
		stop := w.run()
		pass(time.Hour)
		stop()
		mu.Lock()
		defer mu.Unlock()
		if len(told) != 3 || told[hostA+" refused"] != 1 || told[hostA+" repeated"] != 1 || told[hostB+" lost"] != 1 {
			t.Errorf("told %v", told)
		}
	})
}
