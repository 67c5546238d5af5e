package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// layer is one part of the running gateway: it is started after the layers
// below it and stopped before them.
type layer struct {
	name string
	run  func(ctx context.Context) error
}

// runningLayer is a started layer.
type runningLayer struct {
	name   string
	cancel context.CancelFunc
	done   chan struct{}
}

// run starts every part, calls ready, and serves until ctx ends or a part that
// nothing works without has failed. Then it stops taking calls, lets the live
// ones go on for drainTime, and stops everything in reverse. The app cannot be
// run again.
func (a *app) run(ctx context.Context, ready func()) error {
	a.ran = true
	failed := make(chan error, 8)
	var up []runningLayer
	start := func(l layer) {
		lctx, cancel := context.WithCancel(context.Background())
		r := runningLayer{name: l.name, cancel: cancel, done: make(chan struct{})}
		up = append(up, r)
		go func() { // stopped below, which waits for done
			defer close(r.done)
			if err := l.run(lctx); err != nil && lctx.Err() == nil {
				failed <- fmt.Errorf("%s: %w", l.name, err)
			}
		}()
	}
	start(layer{"webhooks", func(c context.Context) error { a.deliver.Run(c); return nil }})
	start(layer{"media clock", a.clock.Run})
	start(layer{"sip", a.stack.Serve})
	a.mu.Lock()
	err := a.useConfig(a.snap)
	a.mu.Unlock()
	if err == nil {
		start(layer{"api", func(c context.Context) error { return a.server.Serve(c, a.httpLn) }})
		start(layer{"control socket", a.serveControl})
		ready()
		select {
		case <-ctx.Done():
		case err = <-failed:
		}
	}
	a.log.Info("stopping", "calls", a.engine.Stats().Live)
	drain, cancel := context.WithTimeout(context.Background(), drainTime)
	a.engine.Shutdown(drain)
	cancel()
	a.stopLayers(up)
	a.close()
	return err
}

// stopLayers stops the lines, then the layers from the top down.
func (a *app) stopLayers(up []runningLayer) {
	top := len(up)
	for ; top > 3; top-- { // the API and the control socket stop before the lines
		up[top-1].cancel()
		<-up[top-1].done
	}
	a.lines.close()
	for ; top > 0; top-- {
		up[top-1].cancel()
		<-up[top-1].done
	}
}

// serveControl serves the control socket until ctx ends.
func (a *app) serveControl(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { a.control.Close() })
	defer stop()
	if err := a.control.Serve(a.controlLn); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// banner is what serve prints when it is ready. The keys of a first boot are
// printed this once.
func (a *app) banner(firstBoot bool, took time.Duration) string {
	var b strings.Builder
	acct := a.snap.Accounts[0]
	if firstBoot {
		fmt.Fprintf(&b, "First boot: a new account was made. Keep its token, it is shown only now.\n\n"+
			"  export CALLBOX_ACCOUNT=%s\n  export CALLBOX_TOKEN=%s\n\n  device CA     %s/%s\n\n",
			acct.ID, acct.Token.Reveal(), a.cfg.Data, caFile)
	}
	fmt.Fprintf(&b, "callbox %s is ready after %d ms\n", version, took.Milliseconds())
	fmt.Fprintf(&b, "  API           %s/2010-04-01/Accounts/%s\n", a.baseURL(), acct.ID)
	fmt.Fprintf(&b, "  SIP           udp, tcp %s   tls %s\n", a.stack.Addr("udp"), a.stack.Addr("tls"))
	fmt.Fprintf(&b, "  sound (RTP)   udp %d-%d\n", a.snap.Media.PortMin, a.snap.Media.PortMax)
	fmt.Fprintf(&b, "  board         %s\n", a.board.Name)
	fmt.Fprintf(&b, "  lines         %s\n", strings.Join(a.lines.ids(), " "))
	fmt.Fprintf(&b, "  data          %s\n", a.cfg.Data)
	return b.String()
}
