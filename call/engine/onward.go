package engine

import (
	"fmt"
	"slices"
	"strings"

	"callbox/call"
	"callbox/call/script"
)

// maxRedirects bounds how often one call is sent on by those that it reaches.
const maxRedirects = 5

// onward is where a call was sent on to by 3xx and has not been yet.
type onward struct {
	places []string // best first
	by     string   // the sentence of who sent it on
	been   []string // parties that it was placed to, in small letters
	times  int      // that it was sent on
}

// sentOn notes that the far end of an attempt sends the call on, best place first.
func (c *live) sentOn(places []string, cause call.Cause) {
	o := &c.onward
	if len(o.been) == 0 {
		o.been = []string{strings.ToLower(c.target.To)}
	}
	o.places, o.by = places, cause.Text
	o.times++
	if a := c.way.Attempts[c.attempt]; !a.Toll {
		c.origin = a.Line // what its phone forwards, it pays for
	}
}

// goOn places a call that was sent on to the next place, by the routes and under
// the guards that hold for everybody. It reports false when there is none, with
// the cause to fail with.
func (c *live) goOn(cause call.Cause) (call.Cause, bool) {
	o := &c.onward
	for len(o.places) > 0 {
		to := o.places[0]
		o.places = o.places[1:]
		key := strings.ToLower(to)
		switch {
		case o.times > maxRedirects:
			o.places = nil
			return call.Cause{Q850: call.Q850Circles, SIP: 482, Who: call.Network,
				Text: fmt.Sprintf("the call was sent on %d times, the last time to %s; it goes no further", o.times, to)}, false
		case slices.Contains(o.been, key):
			cause = call.Cause{Q850: call.Q850Circles, SIP: 482, Who: call.Network,
				Text: fmt.Sprintf("%s, where it has been before", o.by)}
			continue
		}
		o.been = append(o.been, key)
		kind := script.ToNumber
		if strings.HasPrefix(key, "sip:") || strings.HasPrefix(key, "sips:") {
			kind = script.ToSIP
		}
		// What was meant for the first party only, its credentials above all, stays behind.
		target := c.target
		target.Kind, target.To, target.Line, target.Auth, target.SIP = kind, to, "", nil, call.SIP{}
		r, err := c.e.cfg.Router.Route(target, c.r.From)
		if err == nil && len(r.Attempts) == 0 {
			err = call.Cause{Q850: call.Q850NoRoute, SIP: 404, Who: call.Box, Text: "the route to " + to + " leads nowhere; check the routes"}
		}
		if err != nil {
			cause = call.CauseOf(err)
			cause.Text = fmt.Sprintf("%s, and %s", o.by, cause.Text)
			continue
		}
		if c.forwarded == "" {
			c.forwarded = c.target.To
		}
		c.note(call.EventWarning, o.by+"; "+to+" is called")
		c.target, c.way, c.attempt = target, r, 0
		c.r.Route = r.Why
		c.place()
		return call.Cause{}, true
	}
	return cause, false
}
