package engine

import (
	"context"
	"strings"
	"testing"
	"time"

	"callbox/call"
	"callbox/call/script"
)

// reportingLeg is a leg that counts packets and knows its echo.
type reportingLeg struct {
	*farLeg
	stats call.MediaStats
}

func (l reportingLeg) MediaStats() call.MediaStats    { return l.stats }
func (l reportingLeg) Codec() string                  { return "PCMU" }
func (l reportingLeg) Echo() (float64, float64, bool) { return 14.04, 31.26, true }

// What is measured is in the record while the call is up and after its end, and
// in the totals.
func TestQualityOfACall(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		leg := newFarLeg(call.LegInfo{Inbound: true, Line: "201", Kind: call.User, From: "201", To: "5550111"})
		leg.port.in.Store(3277) // −20 dBov
		r := reportingLeg{leg, call.MediaStats{PacketsIn: 950, PacketsOut: 1000, Lost: 50, Late: 10, Concealed: 55, RTT: 80 * time.Millisecond, Jitter: 5 * time.Millisecond}}
		w.plan = Plan{Account: "acct", Script: w.doc("http://app/1", script.Pause{Length: 20 * time.Second})}
		w.e.Incoming(r)
		pass(100 * time.Millisecond)
		leg.answer()
		pass(5 * time.Second)
		rec := w.only()
		if rec.Media != r.stats {
			t.Errorf("while it is up: %+v", rec.Media)
		}
		q := rec.Quality
		if q == nil || q.In == nil || q.ReturnLoss == nil {
			t.Fatalf("quality %+v", q)
		}
		if q.In.Level < -20.2 || q.In.Level > -19.8 || q.In.Clipped != 0 || *q.ReturnLoss != 14 || *q.Enhancement != 31.3 {
			t.Errorf("in %+v, echo %v and %v", *q.In, *q.ReturnLoss, *q.Enhancement)
		}
		if q.MOS < 3.7 || q.MOS > 3.9 { // 6 % of the frames were not heard
			t.Errorf("MOS %.2f, R %.1f", q.MOS, q.Rating)
		}
		if st := w.e.SoundStats(); st.Legs != 1 || st.WorstMOS != q.MOS || st.MeanMOS != q.MOS || st.Lost != 50 || st.Concealed != 55 {
			t.Errorf("totals %+v", st)
		}
		leg.port.in.Store(32767)
		pass(time.Second)
		leg.end(call.NormalClearing(call.Remote))
		end := w.ends(rec.ID, call.Completed)
		if end.Media != r.stats || end.Quality == nil || end.Quality.In.Clipped < 7000 || end.Quality.In.Level < -8 {
			t.Errorf("at the end: %+v, %+v", end.Media, end.Quality)
		}
		if st := w.e.SoundStats(); st.Legs != 0 || st.WorstMOS != 0 || st.Lost != 50 || st.Packets != 950 || st.Clipped != end.Quality.In.Clipped {
			t.Errorf("totals at the end %+v", st)
		}
	})
}

// Protected sound that cannot be opened is in the record, in words too, once, and in
// the totals; a few repeated packets are no news.
func TestSoundThatCannotBeOpened(t *testing.T) {
	for name, tt := range map[string]struct {
		stats call.MediaStats
		told  int
	}{
		"other keys":        {call.MediaStats{PacketsOut: 500, Refused: 480}, 1},
		"keys that changed": {call.MediaStats{PacketsIn: 500, PacketsOut: 500, Refused: 400}, 1},
		"a few repeated":    {call.MediaStats{PacketsIn: 500, PacketsOut: 500, Refused: 20}, 0},
		"some of very many": {call.MediaStats{PacketsIn: 5000, PacketsOut: 500, Refused: 200}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				leg := newFarLeg(call.LegInfo{Inbound: true, Line: "201", Kind: call.User, From: "201", To: "5550111"})
				w.plan = Plan{Account: "acct", Script: w.doc("http://app/1", script.Pause{Length: 20 * time.Second})}
				w.e.Incoming(reportingLeg{leg, tt.stats})
				pass(100 * time.Millisecond)
				leg.answer()
				pass(5 * time.Second)
				id := w.only().ID
				leg.end(call.NormalClearing(call.Remote))
				end := w.ends(id, call.Completed)
				if end.Media.Refused != tt.stats.Refused || len(end.Warnings) != tt.told || w.e.SoundStats().Refused != tt.stats.Refused {
					t.Errorf("%+v, warnings %q, totals %+v", end.Media, end.Warnings, w.e.SoundStats())
				}
				if tt.told > 0 && !strings.Contains(end.Warnings[0], "other keys than it has named") {
					t.Errorf("told %q", end.Warnings)
				}
			})
		})
	}
}

// only is the record of the only call.
func (w *world) only() call.Record {
	p, err := w.e.Calls(context.Background(), call.Filter{Account: "acct"})
	if err != nil || len(p.Records) != 1 {
		w.t.Fatalf("%d records, %v", len(p.Records), err)
	}
	return p.Records[0]
}
