package sip

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestTell: requests within a call reach the other side whole, and what it
// answers comes back.
func TestTell(t *testing.T) {
	t.Parallel()
	a, b := startStack(t), startStack(t)
	in := trunkPeer(t, b)
	out, arrived := answered(t, a, b, in, "udp")
	for _, m := range []Message{
		{Method: "INFO", ContentType: "application/dtmf-relay", Body: []byte("Signal=5\r\nDuration=100\r\n")},
		{Method: "MESSAGE", ContentType: "text/plain", Body: []byte("good morning"), Headers: []Header{{"X-Kind", "greeting"}}},
		{Method: "NOTIFY", Headers: []Header{{"Event", "talk"}, {"Subscription-State", "active"}}},
	} {
		res, err := out.Tell(t.Context(), m)
		if err != nil || res.Status != 200 || res.Text != "OK" {
			t.Fatalf("%s: %+v, %v", m.Method, res, err)
		}
		ev := expect(t, arrived, Told)
		got := ev.Message
		if got.Method != m.Method || got.ContentType != m.ContentType || string(got.Body) != string(m.Body) {
			t.Errorf("%s arrived as %+v", m.Method, got)
		}
		for _, h := range m.Headers {
			if !slices.Contains(got.Headers, h) {
				t.Errorf("%s lacks %v: %v", m.Method, h, got.Headers)
			}
		}
	}
	// A method that the other side does not know is an answer, not a failure.
	if res, err := out.Tell(t.Context(), Message{Method: "PUBLISH"}); err != nil || res.Status != 405 {
		t.Errorf("refused: %+v, %v", res, err)
	}
	out.Hangup(Reason{})
	expectEnd(t, out)
	if _, err := out.Tell(t.Context(), Message{Method: "INFO"}); !errors.Is(err, ErrEnded) {
		t.Errorf("after the end: %v", err)
	}
}

func TestTellRefused(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]Message{
		`"info" is not a method`:    {Method: "info"},
		`"IN FO" is not a method`:   {Method: "IN FO"},
		`"" is not a method`:        {},
		"a dialog sends BYE itself": {Method: "BYE"},
		"content of INFO has no":    {Method: "INFO", Body: []byte("x")},
		"content of MESSAGE has no": {Method: "MESSAGE", ContentType: "text/plain\r\nX: y", Body: []byte("x")},
		"header Via cannot be set":  {Method: "INFO", Headers: []Header{{"Via", "x"}}},
	} {
		if err := m.validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", m, err, want)
		}
	}
}
