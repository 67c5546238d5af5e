package sipleg_test

import (
	"testing"

	"callbox/call"
	"callbox/call/line/sipleg"
	"callbox/call/line/sipleg/siptest"
	"callbox/sip"
)

// TestIdentify: both sides tell whom the other one speaks to now.
func TestIdentify(t *testing.T) {
	t.Parallel()
	b := newBox(t, siptest.Config{}, func(c *sipleg.Config) {
		c.Show = func(p call.Party, host string) []sip.Header { return []sip.Header{sipleg.Asserted(p, host)} }
		c.Believe = func(hs []sip.Header) (call.Party, bool) {
			u := sipleg.UserOf(sipleg.Header(hs, "P-Asserted-Identity"))
			return call.Party{Number: u}, u != ""
		}
	})
	c := b.dial()
	b.must(c.Identify(b.ctx(), call.Party{Number: "1"})) // too early: nobody is told
	b.must(b.far.WaitRing(b.ctx()))
	b.must(b.far.Answer(b.ctx()))
	c.until(call.LegAnswered)
	b.must(c.Identify(b.ctx(), call.Party{Number: "+15550142", Name: `Carol "C" Example`}))
	const want = `"Carol \"C\" Example" <sip:+15550142@127.0.0.1>`
	poll(t, "the far end knows", func() bool { return b.far.Shown() == want })
	b.must(b.far.Identify(b.ctx(), "<sip:+15550143@127.0.0.2>"))
	if e := c.until(call.LegParty); e.Party.Number != "+15550143" {
		t.Errorf("told %+v", e.Party)
	}
}
