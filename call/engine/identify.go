package engine

import (
	"context"
	"errors"
	"time"

	"callbox/call"
)

// identifyPatience bounds the telling of a far end whom it speaks to.
const identifyPatience = 10 * time.Second

// party is who the far end of the call is.
func (c *live) party() call.Party {
	r := c.rec.Load()
	p := call.Party{Number: c.name()}
	if r.Direction == call.Inbound {
		p.Name = r.CallerName
	}
	return p
}

// meets notes on the call's goroutine whom its far end is connected with. It is
// told when that is not the first.
func (c *live) meets(p call.Party) {
	again := c.met != call.Party{} && c.met != p
	c.met = p
	if i, ok := c.leg.(call.Identifier); again && ok {
		c.e.tasks.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), identifyPatience)
			defer cancel()
			if err := i.Identify(ctx, p); err != nil && !errors.Is(err, call.ErrLegEnded) {
				c.e.cfg.Logger.Info("a far end was not told whom it speaks to", "call", c.id, "err", err)
			}
		})
	}
}

// isNow takes from the far end that somebody else is there, and tells whom it is
// connected with.
func (c *live) isNow(p call.Party) {
	c.mention(call.EventWarning, "the far end is now "+p.Number)
	if c.link == nil {
		return
	}
	other := c.link.b.a
	if c.link.mine {
		other = c.link.b.b
	}
	c.e.tasks.Go(func() { other.do(context.Background(), func() { other.meets(p) }) })
}
