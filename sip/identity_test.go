package sip

import (
	"errors"
	"testing"
)

// TestIdentify: a far end that takes UPDATE is told whom it speaks to, and tells us,
// each change once.
func TestIdentify(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, n *memNet) {
		_, r, in := timerTrunk(t, n, Terms{})
		plain, _ := r.callWith(in, "plain")
		pai := []Header{{"P-Asserted-Identity", "<sip:+15550123@192.0.2.1>"}}
		if err := plain.Identify(t.Context(), pai); !errors.Is(err, ErrState) {
			t.Errorf("a far end without UPDATE: %v", err)
		}
		r.quit(plain)
		d, res := r.callWith(in, "shown", "Allow: UPDATE")
		if err := d.Identify(t.Context(), []Header{{"Contact", "x"}}); err == nil {
			t.Error("a header of the package's own was sent")
		}
		told := make(chan error, 1)
		go func() { told <- d.Identify(t.Context(), pai) }()
		up := r.waits("UPDATE", 0)
		if headerValue(up, "P-Asserted-Identity") != pai[0].Value || len(up.Body()) != 0 {
			t.Errorf("told by\n%s", up)
		}
		r.answer(up, 200, "", "", "")
		if err := <-told; err != nil {
			t.Error(err)
		}
		for i, value := range []string{"<sip:a@x>", "<sip:a@x>", "<sip:b@x>"} {
			r.send(r.numbered("UPDATE", "bob", "shown", 10+i, toTagOf(t, res), "P-Asserted-Identity: "+value))
			r.responseTo(200, 10+i)
			if i == 1 {
				continue // no news
			}
			if ev := expect(t, d, Identified); len(ev.Message.Headers) == 0 || ev.Message.Headers[0].Value != value {
				t.Errorf("heard %+v", ev.Message)
			}
		}
		// A refusal harms nobody.
		go func() { told <- d.Identify(t.Context(), pai) }()
		r.answer(r.waits("UPDATE", 0), 408, "", "", "")
		if err := <-told; err == nil {
			t.Error("no error of a refusal")
		}
		r.quit(d)
	})
}
