package sipleg_test

import (
	"errors"
	"slices"
	"testing"

	"callbox/call"
	"callbox/call/line/sipleg/siptest"
	"callbox/sip"
)

// TestMessages: requests within a call go both ways; keys in INFO stay keys.
func TestMessages(t *testing.T) {
	t.Parallel()
	b := newBox(t, siptest.Config{})
	waiting := b.dial()
	b.must(b.far.WaitRing(b.ctx()))
	if _, err := waiting.Leg.Tell(b.ctx(), call.SIPMessage{Method: "INFO"}); !errors.Is(err, call.ErrWrongState) {
		t.Errorf("before the answer: %v", err)
	}
	b.must(b.far.Answer(b.ctx()))
	waiting.until(call.LegAnswered)
	b.talks(waiting)
	waiting.Leg.Hangup(call.NormalClearing(call.Box))
	waiting.until(call.LegEnded)
	if _, err := waiting.Leg.Tell(b.ctx(), call.SIPMessage{Method: "INFO"}); !errors.Is(err, call.ErrLegEnded) {
		t.Errorf("after the end: %v", err)
	}
}

// talks sends requests both ways on an answered leg.
func (b *box) talks(c *clocked) {
	b.t.Helper()
	m := call.SIPMessage{Method: "MESSAGE", ContentType: "text/plain", Body: "good morning", Headers: []call.Header{{Name: "X-Kind", Value: "greeting"}}}
	res, err := c.Leg.Tell(b.ctx(), m)
	if err != nil || res != (call.SIPResponse{Status: 200, Reason: "OK"}) {
		b.t.Fatalf("%+v, %v", res, err)
	}
	poll(b.t, "the far end to be told", func() bool { return len(b.far.Told()) > 0 })
	told := b.far.Told()
	if len(told) != 1 || told[0].Method != "MESSAGE" || string(told[0].Body) != m.Body || !slices.Contains(told[0].Headers, sip.Header{Name: "X-Kind", Value: "greeting"}) {
		b.t.Errorf("the far end was told %+v", told)
	}
	if res, err := c.Leg.Tell(b.ctx(), call.SIPMessage{Method: "PUBLISH"}); err != nil || res.Status != 405 {
		b.t.Errorf("what the far end refuses: %+v, %v", res, err)
	}
	for _, m := range []sip.Message{
		{Method: "INFO", ContentType: "application/dtmf-relay", Body: []byte("Signal=7\r\nDuration=100\r\n")},
		{Method: "INFO", ContentType: "application/json", Body: []byte(`{"a":1}`), Headers: []sip.Header{{Name: "X-Part", Value: "1"}}},
	} {
		_, err := b.far.Tell(b.ctx(), m)
		b.must(err)
	}
	if e := c.until(call.LegDigit); e.Digit != '7' {
		b.t.Errorf("key %c", e.Digit)
	}
	e := c.until(call.LegMessage)
	if e.Message.Method != "INFO" || e.Message.Body != `{"a":1}` || e.Message.ContentType != "application/json" ||
		!slices.Contains(e.Message.Headers, call.Header{Name: "X-Part", Value: "1"}) {
		b.t.Errorf("the leg was told %+v", e.Message)
	}
}
