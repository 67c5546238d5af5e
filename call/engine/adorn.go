package engine

import (
	"context"
	"errors"

	"callbox/call"
)

// adorn gives headers to the messages by which the far end is told that it rings,
// and that the call ends. What cannot be done is a warning.
func (c *live) adorn(ringing, ending []call.Header) {
	if len(ringing) == 0 && len(ending) == 0 || c.leg == nil {
		return
	}
	leg, ok := c.leg.(call.Adorner)
	if !ok {
		c.note(call.EventWarning, "no headers are sent: the far end does not speak SIP")
		return
	}
	var err error
	if len(ending) > 0 {
		err = leg.EndWith(ending)
	}
	if len(ringing) > 0 && c.r.State != call.InProgress && c.r.Direction == call.Inbound {
		err = errors.Join(err, leg.RingWith(ringing))
		c.e.tasks.Go(func() { // a leg may take its time
			k := control{c: c}
			if err := k.progress(context.Background(), call.ProgressRinging); err != nil && !errors.Is(err, call.ErrEnded) && !errors.Is(err, call.ErrLegEnded) {
				k.Tell(call.EventWarning, "cannot tell the caller that it rings: "+err.Error())
			}
		})
	}
	if err != nil && !errors.Is(err, call.ErrLegEnded) {
		c.note(call.EventWarning, "headers are not sent: "+err.Error())
	}
}
