package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"callbox/api/console"
)

// layers are running parts of the gateway, in the order in which they were
// started; each may use those before it.
type layers struct {
	failed chan<- error
	up     []runningLayer
}

type runningLayer struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// start runs a part until stop. When it fails before that, failed is told.
func (l *layers) start(name string, run func(ctx context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	r := runningLayer{cancel: cancel, done: make(chan struct{})}
	l.up = append(l.up, r)
	go func() {
		defer close(r.done)
		if err := run(ctx); err != nil && ctx.Err() == nil {
			l.failed <- fmt.Errorf("%s: %w", name, err)
		}
	}()
}

// stop ends the parts, the last one first, and waits for each.
func (l *layers) stop() {
	for i := len(l.up) - 1; i >= 0; i-- {
		l.up[i].cancel()
		<-l.up[i].done
	}
}

// run starts every part, calls ready, and serves until ctx ends or a part has
// failed. Then it stops taking calls, lets the live ones go on for drainTime,
// and stops everything in reverse. The app cannot be run again.
func (a *app) run(ctx context.Context, ready func()) error {
	a.ran = true
	failed := make(chan error, 8)
	below, doors := layers{failed: failed}, layers{failed: failed}
	below.start("webhooks", func(c context.Context) error { a.deliver.Run(c); return nil })
	below.start("retention", a.keeper.run)
	below.start("recordings", a.files.fresh.run)
	below.start("alerts", a.alarms.run)
	below.start("media clock", a.clock.Run)
	below.start("sip", a.stack.Serve)
	below.start("address outside", a.outside.run)
	below.start("text messages", a.texts.Run)
	below.start("lights", a.board.Lights.Run)
	below.start("modems", a.watchModems)
	below.start("clock", a.panel.watchClock)
	a.mu.Lock()
	err := a.useConfig(a.snap)
	if err == nil {
		err = a.rememberTolls(time.Now())
		rememberTexts(a.texts, a.tolls, time.Now())
	}
	a.mu.Unlock()
	if err == nil {
		doors.start("api", func(c context.Context) error { return a.server.Serve(c, a.httpLn) })
		if a.httpsLn != nil {
			doors.start("api over TLS", func(c context.Context) error { return a.server.ServeTLS(c, a.httpsLn, a.certs.config()) })
		}
		doors.start("control socket", a.serveControl)
		doors.start("panel", a.panel.run)
		doors.start("watchdog", a.panel.guard)
		a.serving(true)
		ready()
		select {
		case <-ctx.Done():
		case err = <-failed:
		case r := <-a.panel.reset:
			err = &r
		}
	}
	a.serving(false)
	a.log.Info("stopping", "calls", a.engine.Stats().Live)
	drain, cancel := context.WithTimeout(context.Background(), drainTime)
	a.engine.Shutdown(drain) // the API still answers: calls can be ended by it
	cancel()
	doors.stop()
	a.lines.close()
	below.stop()
	a.close()
	return err
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
func (a *app) banner(took time.Duration) string {
	var b strings.Builder
	acct := a.snap.Accounts[0]
	if a.fresh {
		fmt.Fprintf(&b, "A new account was made. Keep its token, it is shown only now.\n\n"+
			"  export CALLBOX_ACCOUNT=%s\n  export CALLBOX_TOKEN=%s\n\n"+
			"The same account for APIs that know it by a project id, with the same token:\n\n"+
			"  export CALLBOX_PROJECT=%s\n\n  device CA     %s/%s\n\n",
			acct.ID, acct.Token.Reveal(), acct.Project, a.cfg.Data, caFile)
	}
	fmt.Fprintf(&b, "callbox %s is ready after %d ms\n", version, took.Milliseconds())
	fmt.Fprintf(&b, "  API           %s/2010-04-01/Accounts/%s\n", a.baseURL(), acct.ID)
	fmt.Fprintf(&b, "  page          %s%s   (log in with account and token)\n", a.baseURL(), console.Prefix)
	if a.httpsLn != nil {
		fmt.Fprintf(&b, "  API over TLS  https://%s\n", lanAddress(a.httpsLn.Addr()))
	}
	fmt.Fprintf(&b, "  SIP           udp, tcp %s   tls %s\n", a.stack.Addr("udp"), a.stack.Addr("tls"))
	if a.httpsLn != nil {
		fmt.Fprintf(&b, "  SIP, browsers wss://%s%s\n", lanAddress(a.httpsLn.Addr()), sipPath)
	}
	fmt.Fprintf(&b, "  sound (RTP)   udp %d-%d\n", a.snap.Media.PortMin, a.snap.Media.PortMax)
	fmt.Fprintf(&b, "  board         %s\n", a.board.Name)
	fmt.Fprintf(&b, "  lines         %s\n", strings.Join(a.lines.ids(), " "))
	fmt.Fprintf(&b, "  data          %s\n", a.cfg.Data)
	return b.String()
}
