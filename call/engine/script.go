package engine

import (
	"context"

	"callbox/call"
	"callbox/call/script"
)

// startScript runs src on the call, or doc when src is empty.
func (c *live) startScript(src call.ScriptSource, doc *script.Document) {
	env := c.env()
	if src.IsZero() && doc != nil {
		env.Fetcher = given{env.Fetcher, *doc}
		src.Inline = "built in"
	}
	digits := c.sendDigits
	c.sendDigits = ""
	c.runScript(func(ctx context.Context) {
		if digits != "" && env.SendDigits(ctx, digits) != nil {
			return // the call has ended, or another script takes over
		}
		script.Runner{}.Run(ctx, env, src)
	})
}

// startScreen prepares an answered child for its connection: digits, then the
// screening document, then word to the parent's Dial, or a hang-up when the
// callee declined.
func (c *live) startScreen() {
	env := c.env()
	t := c.target
	if t.SendDigits == "" && t.Screen.IsZero() {
		c.tellParent(childReady)
		return
	}
	c.runScript(func(ctx context.Context) {
		if t.SendDigits != "" && env.SendDigits(ctx, t.SendDigits) != nil {
			return
		}
		if !t.Screen.IsZero() && !(script.Runner{}).Screen(ctx, env, t.Screen) {
			env.Hangup(call.Cause{Q850: call.Q850Rejected, SIP: 603, Who: call.Script, Text: "the callee declined the call"})
			return
		}
		c.do(ctx, func() {
			if !c.r.State.Final() {
				c.tellParent(childReady)
			}
		})
	})
}

// runScript runs f on the script's goroutine.
func (c *live) runScript(f func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &running{cancel: cancel, done: make(chan struct{})}
	c.script = s
	c.e.wg.Go(func() {
		defer close(s.done)
		defer cancel()
		f(ctx)
	})
}

// redirect drops the running document and runs src instead. A child leaves the
// Dial that made it; the parent's document goes on.
func (c *live) redirect(src call.ScriptSource) {
	c.source, c.document = src, nil
	if c.watch != nil {
		c.tellParent(childLeft)
		c.watch = nil
	}
	if c.script != nil {
		c.next = &src
		c.script.cancel()
		return
	}
	c.startScript(src, nil)
}

// onScriptDone follows a script's end: the next one, or the end of the call.
func (c *live) onScriptDone() {
	c.script = nil
	if c.r.State.Final() {
		return
	}
	if c.next != nil {
		src := *c.next
		c.next = nil
		c.startScript(src, nil)
		return
	}
	if c.watch == nil { // a child's script only prepares it
		c.end(call.NormalClearing(call.Script))
	}
}

// given is a Fetcher whose inline document is built in.
type given struct {
	script.Fetcher
	doc script.Document
}

func (g given) Decode(context.Context, call.Record, string) (script.Document, error) {
	return g.doc, nil
}
