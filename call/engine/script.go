package engine

import (
	"context"
	"errors"

	"callbox/call"
	"callbox/call/script"
)

// running is a script on its goroutine.
type running struct {
	cancel   context.CancelFunc
	done     chan struct{}
	place    script.Place
	replaced bool // another script waits for its end; owned by the call's goroutine
}

// startScript runs src on the call, or doc when src is empty.
func (c *live) startScript(src call.ScriptSource, doc *script.Document) {
	digits, announce := c.sendDigits, c.announce
	c.sendDigits, c.announce = "", false
	c.runScript(func(ctx context.Context, env *script.Env) {
		if src.IsZero() && doc != nil {
			env.Fetcher = given{env.Fetcher, *doc}
			src.Inline = "built in"
		}
		if announce {
			c.announceRinging(ctx, env)
		}
		if digits == "" || sendFirst(ctx, env, digits) {
			script.Runner{}.Run(ctx, env, &src)
		}
	})
}

// announceRinging tells an arriving call's far end that something happens.
func (c *live) announceRinging(ctx context.Context, env *script.Env) {
	if err := (control{c: c}).progress(ctx, call.ProgressRinging); err != nil && !over(ctx, err) {
		env.Tell(call.EventWarning, "cannot tell the caller that it rings: "+err.Error())
	}
}

// sendFirst sends the digits that go before a document, and reports whether the
// call goes on.
func sendFirst(ctx context.Context, env *script.Env, digits string) bool {
	err := env.SendDigits(ctx, digits, 0)
	if err != nil && over(ctx, err) {
		return false
	}
	if err != nil {
		env.Tell(call.EventWarning, "cannot send the digits: "+err.Error())
	}
	return true
}

// over reports whether err, got under ctx, only says that the script is over.
func over(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, call.ErrEnded)
}

// startScreen prepares an answered child for its connection: digits, then the
// screening document, then word to the parent's Dial, or a hang-up when the
// callee declined.
func (c *live) startScreen() {
	t := c.target
	if t.SendDigits == "" && t.Screen.IsZero() {
		c.connectable()
		return
	}
	c.tellParent(childScreened)
	c.runScript(func(ctx context.Context, env *script.Env) {
		if t.SendDigits != "" && !sendFirst(ctx, env, t.SendDigits) {
			return
		}
		if !t.Screen.IsZero() && !(script.Runner{}).Screen(ctx, *env, t.Screen) {
			env.Hangup(call.Cause{Q850: call.Q850Rejected, SIP: 603, Who: call.Script, Text: "the callee declined the call"})
			return
		}
		c.do(ctx, func() {
			if !c.r.State.Final() {
				c.connectable()
			}
		})
	})
}

// connectable offers the call to the Dial that made it.
func (c *live) connectable() {
	c.ready = true
	c.tellParent(childReady)
}

// runScript runs f on the script's goroutine.
func (c *live) runScript(f func(ctx context.Context, env *script.Env)) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &running{cancel: cancel, done: make(chan struct{})}
	c.script = s
	c.e.tasks.Go(func() {
		defer close(s.done)
		defer cancel()
		env := c.env(s)
		env.Place = &s.place
		f(ctx, env)
	})
}

// redirect drops the running document and runs src instead; before the answer
// of a call that the box placed, src waits for it. A child leaves the Dial that
// made it; the parent's document goes on.
func (c *live) redirect(src call.ScriptSource) {
	c.tellParent(childLeft)
	c.take(successor{src: src})
}

// successor is what follows a script: a document of src, or the built-in doc, or
// run in place of a document. drop is called, on a goroutine of its own, when it
// does not come to that; nil: nobody minds.
type successor struct {
	src  call.ScriptSource
	doc  *script.Document
	run  func(ctx context.Context, env *script.Env)
	drop func()
}

// begin starts it.
func (s successor) begin(c *live) {
	if s.run != nil {
		c.runScript(s.run)
		return
	}
	c.startScript(s.src, s.doc)
}

// take drops the running document and runs s instead, outside of the Dial that
// has made or connected the call.
func (c *live) take(s successor) {
	c.source, c.document = s.src, s.doc
	if c.ear != nil {
		c.ear.holds = false // whoever redirects the call does not wait for the verdict
	}
	if c.watch != nil {
		c.leave()
		if c.sess != nil {
			c.sess.Unbridge() // the Dial follows; nobody listens in meanwhile
		}
	}
	c.follow(s)
}

// leave takes a call out of the Dial that has made or connected it. Whether that
// is told is the caller's affair.
func (c *live) leave() { c.watch, c.link, c.away = nil, nil, false }

// follow runs s when the present script has gone.
func (c *live) follow(s successor) {
	switch {
	case c.script != nil:
		c.dropNext()
		c.next = &s
		c.script.replaced = true
		c.script.cancel()
	case c.r.State == call.InProgress:
		s.begin(c)
	case s.drop != nil:
		c.e.tasks.Go(s.drop)
	}
}

// dropNext gives up what was to follow the script.
func (c *live) dropNext() {
	if c.next != nil && c.next.drop != nil {
		c.e.tasks.Go(c.next.drop)
	}
	c.next = nil
}

// onScriptDone follows a script's end: the next one, or the end of the call.
func (c *live) onScriptDone() {
	c.script = nil
	if c.r.State.Final() {
		return
	}
	if c.next != nil {
		next := *c.next
		c.next = nil
		next.begin(c)
		return
	}
	if c.watch == nil || !c.ready { // a child's script only prepares it
		c.end(call.NormalClearing(call.Script))
	}
}

// given is a Fetcher whose inline document is built in.
type given struct {
	script.Fetcher
	doc script.Document
}

func (g given) Decode(context.Context, call.Record, call.ScriptSource) (script.Document, error) {
	return g.doc, nil
}
