package engine

import (
	"context"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media"
)

// faxLeg is a far end that answers with the tone of a fax, 2,100 Hz.
type faxLeg struct {
	*farLeg
	at int
}

func (l *faxLeg) Audio() media.Port { return l }

func (l *faxLeg) ReadFrame(f *media.Frame) bool {
	for i := range f {
		f[i] = int16(8000 * math.Sin(2*math.Pi*2100*float64(l.at)/media.SampleRate))
		l.at++
	}
	return true
}

func (l *faxLeg) WriteFrame(*media.Frame) {}

// detection is what a request asks for; nobody speaks on a farLeg, so the
// verdict comes after two seconds.
func detection(async bool) *call.AMD {
	return &call.AMD{Timeout: 30 * time.Second, SpeechThreshold: 2400 * time.Millisecond, SpeechEndThreshold: 1200 * time.Millisecond,
		SilenceTimeout: 2 * time.Second, Async: async}
}

// verdicts lists the machine events of a call.
func (w *world) verdicts(id string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, ev := range w.events {
		if ev.Record.ID == id && (ev.Type == call.EventMachine || ev.Type == call.EventMachinePartial) {
			out = append(out, string(ev.Type)+" "+ev.Note)
		}
	}
	return out
}

func (w *world) asked() []string {
	var out []string
	for {
		select {
		case u := <-w.fetched:
			out = append(out, u)
		default:
			return out
		}
	}
}

func TestTheScriptWaitsForTheVerdict(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		src := w.doc("http://app/voice", play("clip:50"))
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: src, AMD: detection(false)})
		leg := <-w.lines["201"].dialed
		leg.answer()
		<-time.After(1900 * time.Millisecond)
		synctest.Wait()
		if got := w.asked(); len(got) != 0 || w.record(rec.ID).State != call.InProgress {
			t.Errorf("before the verdict %v was asked for; the call is %v", got, w.record(rec.ID).State)
		}
		<-time.After(300 * time.Millisecond)
		synctest.Wait()
		if got := w.asked(); !slices.Equal(got, []string{"http://app/voice"}) {
			t.Errorf("after the verdict %v was asked for", got)
		}
		r := w.record(rec.ID)
		if r.AnsweredBy != "unknown" || r.MachineTime != 2*time.Second || r.MachineWhy == "" {
			t.Errorf("the record says %q after %v: %q", r.AnsweredBy, r.MachineTime, r.MachineWhy)
		}
		<-time.After(3 * time.Second)
		w.ends(rec.ID, call.Completed)
		if got := w.verdicts(rec.ID); !slices.Equal(got, []string{"machine unknown"}) {
			t.Errorf("verdicts: %v", got)
		}
	})
}

func TestAsynchronousDetectionRunsBesideTheScript(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.lines["201"].wrap = func(l *farLeg) call.Leg { return &faxLeg{farLeg: l} }
		src := w.doc("http://app/voice", play("clip:500"))
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: src, AMD: detection(true)})
		(<-w.lines["201"].dialed).answer()
		<-time.After(100 * time.Millisecond)
		synctest.Wait()
		if got := w.asked(); !slices.Equal(got, []string{"http://app/voice"}) {
			t.Errorf("%v was asked for", got)
		}
		<-time.After(3 * time.Second)
		synctest.Wait()
		if r := w.record(rec.ID); r.AnsweredBy != "fax" || r.State != call.InProgress {
			t.Errorf("%q, %v", r.AnsweredBy, r.State)
		}
		if got := w.verdicts(rec.ID); !slices.Equal(got, []string{"machine fax"}) {
			t.Errorf("verdicts: %v", got)
		}
	})
}

func TestNoVerdictAfterTheEnd(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		src := w.doc("http://app/voice", play("clip:50"))
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: src, AMD: detection(false)})
		leg := <-w.lines["201"].dialed
		leg.answer()
		<-time.After(time.Second)
		leg.end(call.NormalClearing(call.Remote))
		w.ends(rec.ID, call.Completed)
		<-time.After(5 * time.Second)
		synctest.Wait()
		if got := append(w.verdicts(rec.ID), w.asked()...); len(got) != 0 {
			t.Errorf("after the end: %v", got)
		}
	})
}

func TestARedirectDoesNotWaitForTheVerdict(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		src := w.doc("http://app/voice", play("clip:50"))
		other := w.doc("http://app/other", play("clip:1000"))
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: src, AMD: detection(false)})
		(<-w.lines["201"].dialed).answer()
		<-time.After(time.Second)
		if _, err := w.e.Modify(context.Background(), "acct", rec.ID, call.Change{Script: &other}); err != nil {
			t.Fatal(err)
		}
		<-time.After(5 * time.Second)
		synctest.Wait()
		if got := w.asked(); !slices.Equal(got, []string{"http://app/other"}) {
			t.Errorf("%v was asked for", got)
		}
		if got := w.verdicts(rec.ID); !slices.Equal(got, []string{"machine unknown"}) {
			t.Errorf("verdicts: %v", got)
		}
	})
}

func TestDetectionOnAPartyOfADial(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		targets := users("202")
		targets[0].AMD = detection(false) // a party is never held up
		src := w.doc("http://app/voice", &script.DialVerb{Dial: script.Dial{Targets: targets}})
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: src})
		(<-w.lines["201"].dialed).answer()
		leg := <-w.lines["202"].dialed
		leg.answer()
		<-time.After(100 * time.Millisecond)
		synctest.Wait()
		child := w.record(w.childOf(rec.ID))
		if child.State != call.InProgress {
			t.Errorf("the party is %v", child.State)
		}
		<-time.After(3 * time.Second)
		synctest.Wait()
		if got := w.verdicts(child.ID); !slices.Equal(got, []string{"machine unknown"}) {
			t.Errorf("verdicts: %v", got)
		}
	})
}

func TestDetectionFromTheMiddleOfACall(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		src := w.doc("http://app/voice", play("clip:50"), script.Change{Verb: "config", Change: call.Change{AMD: detection(false)}}, play("clip:500"))
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: src})
		(<-w.lines["201"].dialed).answer()
		<-time.After(2900 * time.Millisecond) // a second of sound, then two of detection
		synctest.Wait()
		if got := w.verdicts(rec.ID); len(got) != 0 {
			t.Errorf("verdicts after 2.9 s: %v", got)
		}
		<-time.After(300 * time.Millisecond)
		synctest.Wait()
		if r := w.record(rec.ID); r.AnsweredBy != "unknown" || r.State != call.InProgress {
			t.Errorf("%q, %v", r.AnsweredBy, r.State)
		}
	})
}
