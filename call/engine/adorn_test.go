package engine

import (
	"reflect"
	"strings"
	"testing"

	"callbox/call"
	"callbox/call/script"
)

// adornedLeg is a far end that takes headers.
type adornedLeg struct {
	*farLeg
	ring, end []call.Header
}

func (l *adornedLeg) RingWith(h []call.Header) error { l.ring = h; return nil }
func (l *adornedLeg) EndWith(h []call.Header) error  { l.end = h; return nil }

func TestHeadersOfRingingAndOfTheEnd(t *testing.T) {
	alert, end := []call.Header{{Name: "Alert-Info", Value: "info=internal"}}, []call.Header{{Name: "X-Reason", Value: "max"}}
	for name, verb := range map[string]script.Verb{"hangup": script.Hangup{Decline: true, Headers: end}, "reject": script.Reject{Headers: end}} {
		in(t, func(t *testing.T, w *world) {
			verbs := []script.Verb{script.Change{Verb: "alert", Change: call.Change{Ringing: alert}}, script.Pause{Length: 1e9}, verb}
			w.plan = Plan{Account: "acct", Script: w.doc("http://app/voice", verbs...)}
			leg := &adornedLeg{farLeg: newFarLeg(call.LegInfo{Line: "201", Inbound: true, From: "5550100"})}
			w.e.Incoming(leg)
			pass(2e9)
			if !reflect.DeepEqual(leg.ring, alert) || !reflect.DeepEqual(leg.end, end) {
				t.Errorf("%s: %v, %v", name, leg.ring, leg.end)
			}
			leg.mu.Lock()
			defer leg.mu.Unlock()
			if want := []call.Progress{call.ProgressRinging, call.ProgressRinging}; !reflect.DeepEqual(leg.progress, want) {
				t.Errorf("%s: progress %v", name, leg.progress)
			}
		})
	}
}

func TestNoHeadersForAPlainLine(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		src := w.doc("http://app/voice", script.Hangup{Headers: []call.Header{{Name: "X-Reason", Value: "max"}}})
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: src})
		(<-w.lines["201"].dialed).answer()
		r := w.ends(rec.ID, call.Completed)
		if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "no headers are sent") {
			t.Errorf("warnings %q", r.Warnings)
		}
	})
}
