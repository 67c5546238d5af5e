package sip

import (
	"testing"
)

// TestHeadersOfOwnMessages: the messages that a dialog sends itself carry what
// its user has given to it.
func TestHeadersOfOwnMessages(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	in := trunkPeer(t, s)
	r := newRaw(t, s)
	alert := []Header{{"Alert-Info", "<http://biloxi.example/ring.wav>;info=alert-internal"}}
	end := []Header{{"X-Result", "max tries"}}
	adorned := func(d *Dialog) {
		t.Helper()
		for _, bad := range []Header{{"Via", "x"}, {"X-A", "1\r\nX-B: 2"}} {
			if d.RingWith([]Header{bad}) == nil || d.EndWith([]Header{bad}) == nil {
				t.Errorf("%+v was taken", bad)
			}
		}
		if err := d.RingWith(alert); err != nil {
			t.Error(err)
		}
		if err := d.EndWith(end); err != nil {
			t.Error(err)
		}
	}
	r.send(r.invite("bob", "alert"))
	d := in.take(t)
	adorned(d)
	if err := d.Ring(180, nil); err != nil {
		t.Fatal(err)
	}
	if v := headerValue(r.response(180), "Alert-Info"); v != alert[0].Value {
		t.Errorf("Alert-Info of the 180: %q", v)
	}
	d.Reject(486, Reason{})
	res := r.response(486)
	if v, w := headerValue(res, "X-Result"), headerValue(res, "Alert-Info"); v != "max tries" || w != "" {
		t.Errorf("the 486 has X-Result %q and Alert-Info %q", v, w)
	}
	if err := d.EndWith(end); err != ErrEnded {
		t.Errorf("after the end: %v", err)
	}

	r = newRaw(t, s)
	d, _ = r.call(in, "bye")
	adorned(d)
	d.Hangup(Reason{Q850: 16})
	bye := r.request("BYE")
	if v := headerValue(bye, "X-Result"); v != "max tries" {
		t.Errorf("X-Result of the BYE: %q", v)
	}
	r.answer(bye, 200, "", "", "")
	expectEnd(t, d)
}
