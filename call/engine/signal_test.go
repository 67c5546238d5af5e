package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"callbox/call"
	"callbox/call/script"
)

func TestAddress(t *testing.T) {
	for uri, want := range map[string]string{"sip:a@b": "sip:a@b", "sip:a@b;transport=tcp": "<sip:a@b;transport=tcp>", "sip:a@b?X=1": "<sip:a@b?X=1>"} {
		if got := address(uri); got != want {
			t.Errorf("%s", got)
		}
	}
}

func TestFragment(t *testing.T) {
	for body, want := range map[string]int{"SIP/2.0 100 Trying\r\n": 100, "sip/2.0 486 Busy Here": 486, "SIP/2.0 99 x": 0, "SIP/2.0": 0, "INVITE sip:a SIP/2.0": 0, "": 0, "SIP/2.0 x y": 0} {
		if got := fragment(&call.SIPMessage{Method: "NOTIFY", ContentType: "message/sipfrag;version=2.0", Body: body}); got != want {
			t.Errorf("%q: %d", body, got)
		}
	}
	if fragment(&call.SIPMessage{Method: "NOTIFY", ContentType: "text/plain", Body: "SIP/2.0 200 OK"})+fragment(&call.SIPMessage{Method: "INFO", ContentType: "message/sipfrag", Body: "SIP/2.0 200 OK"}) != 0 {
		t.Error("another request is read as one of a referral")
	}
}

// referredLeg is a leg by SIP that takes referrals with status.
type referredLeg struct {
	*farLeg
	status int
	got    chan call.SIPMessage
}

func (l referredLeg) Tell(_ context.Context, m call.SIPMessage) (call.SIPResponse, error) {
	l.got <- m
	return call.SIPResponse{Status: l.status, Reason: "Phrase"}, nil
}

// TestRefer: the request, its steps and its end.
func TestRefer(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		steps  []string // what the far end says, a second apart
		final  int
		told   int
		took   time.Duration
		fails  bool
	}{
		{"through", 202, []string{"100 Trying", "180 Ringing", "200 OK"}, 200, 3, 3 * time.Second, false},
		{"busy", 202, []string{"486 Busy Here"}, 486, 1, time.Second, false},
		{"it says nothing", 202, nil, 0, 0, script.ReferPatience, false},
		{"it stops saying", 202, []string{"100 Trying"}, 0, 1, script.ReferPatience + time.Second, false},
		{"refused", 603, nil, 0, 0, 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				got := make(chan call.SIPMessage, 1)
				w.lines["201"].wrap = func(l *farLeg) call.Leg { return referredLeg{l, tc.status, got} }
				leg, id := w.place("201", 0, play("clip:5000"))
				c := w.e.find("acct", id)
				go func() {
					for _, s := range tc.steps {
						pass(time.Second)
						leg.emit(call.LegEvent{Type: call.LegMessage, Message: &call.SIPMessage{Method: "NOTIFY", ContentType: "message/sipfrag", Body: "SIP/2.0 " + s}})
					}
				}()
				began, told := time.Now(), 0
				res, err := signals{control{c: c}}.Refer(t.Context(), script.Referral{To: "sip:carol@biloxi.example", By: "sip:desk@biloxi.example", As: `De"sk`},
					func(int) { told++ })
				if (err != nil) != tc.fails || res.Status != tc.status || res.Final != tc.final || told != tc.told || time.Since(began) != tc.took {
					t.Errorf("%+v, %v, %d steps, after %s", res, err, told, time.Since(began))
				}
				m := <-got
				if m.Method != "REFER" || m.Headers[0] != (call.Header{Name: "Refer-To", Value: "sip:carol@biloxi.example"}) || m.Headers[1].Value != `"De\"sk" <sip:desk@biloxi.example>` {
					t.Errorf("%+v", m)
				}
				leg.end(call.NormalClearing(call.Remote))
			})
		})
	}
}

// TestReferEnds: the far end hangs up while it is referred.
func TestReferEnds(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		got := make(chan call.SIPMessage, 1)
		w.lines["201"].wrap = func(l *farLeg) call.Leg { return referredLeg{l, 202, got} }
		leg, id := w.place("201", 0, play("clip:5000"))
		c := w.e.find("acct", id)
		time.AfterFunc(2*time.Second, func() { leg.end(call.NormalClearing(call.Remote)) })
		if res, err := (signals{control{c: c}}).Refer(t.Context(), script.Referral{To: "sip:a@b"}, func(int) {}); !errors.Is(err, call.ErrEnded) || res.Status != 202 {
			t.Errorf("%+v, %v", res, err)
		}
	})
}
