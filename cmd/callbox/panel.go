package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"callbox/api/admin"
	"callbox/board"
	"callbox/call"
	"callbox/hal/bus"
)

const (
	// panelPace is how often the lights are told what is going on.
	panelPace = time.Second
	// conditionPace is how often the machine is asked how it is.
	conditionPace = time.Minute
	// watchdogTime is how long the hardware waits for a sign of life; a Raspberry Pi
	// can wait 15 s at most.
	watchdogTime = 15 * time.Second
)

// panel is what the box shows of itself, and what is done to it by hand: lights, the
// reset button, the watchdog, the machine's condition.
type panel struct {
	app   *app
	log   *slog.Logger
	root  fs.FS // "/"
	disk  string
	reset chan resetError // what the button asked for; room for one

	watched atomic.Bool   // the watchdog runs
	fed     atomic.Uint64 // how often it was fed
	starved atomic.Uint64 // how often it was not, because the box did not work
	mobile  atomic.Bool   // the mobile network has told the time that the clock shows

	held  board.Press     // of the button now
	warns map[string]bool // what the machine was last heard to complain of
}

func newPanel(a *app) *panel {
	return &panel{app: a, log: a.log, root: os.DirFS("/"), disk: diskOf(a.cfg.Data), reset: make(chan resetError, 1), warns: map[string]bool{}}
}

// diskOf is the device number of the disk that dir is on.
func diskOf(dir string) string {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return ""
	}
	return fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
}

// run shows the state of the box until ctx ends.
func (p *panel) run(ctx context.Context) error {
	presses := make(chan board.Press, 8) // one second's worth and more
	watched := make(chan struct{})
	go func() { // ends with ctx, and is waited for below
		defer close(watched)
		_ = p.app.board.Pressed(ctx, func(b board.Press) {
			select {
			case presses <- b:
			default:
			}
		})
	}()
	defer func() { <-watched }()
	show, ask := time.NewTicker(panelPace), time.NewTicker(conditionPace)
	defer show.Stop()
	defer ask.Stop()
	p.inspect()
	for {
		select {
		case <-ctx.Done():
			return nil
		case b := <-presses:
			p.pressed(b)
		case <-ask.C:
			p.inspect()
		case <-show.C:
		}
		p.show()
	}
}

// pressed takes what a finger does.
func (p *panel) pressed(b board.Press) {
	p.held = b
	if !b.Released {
		return
	}
	p.held = board.Press{}
	if b.Held < board.ResetHold {
		return
	}
	p.log.Warn("the reset button was held", "seconds", int(b.Held.Seconds()), "recordings too", b.Held >= board.ResetAllHold)
	select {
	case p.reset <- resetError{Everything: b.Held >= board.ResetAllHold}:
	default: // it is being done
	}
}

// inspect asks the machine how it is and tells what is new.
func (p *panel) inspect() {
	now := map[string]bool{}
	for _, w := range p.condition().Warnings() {
		now[w] = true
		if !p.warns[w] {
			p.log.Warn("the machine needs attention", "what", w)
		}
	}
	p.warns = now
}

// condition is how the machine is.
func (p *panel) condition() board.Condition {
	var tx unix.Timex
	state, err := unix.Adjtimex(&tx)
	c := board.ReadCondition(p.root, p.disk, time.Now(), err == nil && state != unix.TIME_ERROR)
	if p.mobile.Load() && !c.ClockKept {
		c.ClockFrom = mobileNetwork
	}
	return c
}

// show has the lights say how things are.
func (p *panel) show() {
	lights := p.app.board.Lights
	system := board.Lit
	for _, l := range p.app.lines.list() {
		s := board.Dark
		if !l.Status.Ready && l.Status.Busy == 0 {
			s, system = board.Attention, board.Attention
		}
		for _, t := range p.app.lamps.Line(l.ID) {
			if s = board.Ringing; t.State == call.InProgress {
				s = board.Lit
				break
			}
		}
		lights.Show(l.ID, s)
	}
	if len(p.warns) > 0 || slices.ContainsFunc(p.app.board.Problems, func(x board.Problem) bool { return x.Found == board.Failed }) {
		system = board.Attention
	}
	switch {
	case p.held.Held >= board.ResetAllHold:
		system = board.ResetAll
	case p.held.Held >= board.ResetHold:
		system = board.Reset
	}
	lights.Show(board.SystemLight, system)
}

// guard feeds the hardware watchdog until ctx ends, as long as the box does its work:
// a box that hangs is restarted. A board without one, or one that another program has,
// is left alone.
func (p *panel) guard(ctx context.Context) error {
	path := p.app.board.Watchdog
	if path == "" {
		<-ctx.Done()
		return nil
	}
	w, err := bus.OpenWatchdog(path, watchdogTime)
	if err != nil {
		p.log.Warn("the box runs without a watchdog", "err", err)
		<-ctx.Done()
		return nil
	}
	p.log.Info("watchdog started", "device", path, "seconds", int(w.Timeout.Seconds()))
	p.watched.Store(true)
	defer p.watched.Store(false)
	pr := newProbe(p.app)
	defer pr.close()
	feed := time.NewTicker(w.Timeout / 3)
	defer feed.Stop()
	for {
		select {
		case <-ctx.Done():
			return w.Close()
		case <-feed.C:
		}
		asked, cancel := context.WithTimeout(ctx, w.Timeout/3)
		err := pr.check(asked)
		cancel()
		if err == nil {
			err = w.Feed()
		}
		if err == nil {
			p.fed.Add(1)
		}
		if err != nil && ctx.Err() == nil {
			p.starved.Add(1)
			p.log.Error("the watchdog is not fed and will restart the machine", "err", err)
		}
	}
}

// probe asks the box for what it is there for: it lists calls over the API, which goes
// through its network, its accounts, its engine and its database, and looks whether
// the clock of the sound goes on.
type probe struct {
	app    *app
	client *http.Client
	ticks  uint64
}

func newProbe(a *app) *probe {
	return &probe{app: a, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, ticks: a.clock.Stats().Ticks}
}

func (p *probe) close() { p.client.CloseIdleConnections() }

// check says what does not work.
func (p *probe) check(ctx context.Context) error {
	s := p.app.clock.Stats()
	if s.Tickers > 0 && s.Ticks == p.ticks {
		return errors.New("the media clock stands still: nobody hears anything")
	}
	p.ticks = s.Ticks
	acct := p.app.config().Accounts[0]
	url := "http://" + reachable(p.app.httpLn.Addr()) + "/2010-04-01/Accounts/" + acct.ID + "/Calls.json?PageSize=1"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.SetBasicAuth(acct.ID, acct.Token.Reveal())
	res, err := p.client.Do(req)
	if err != nil {
		return fmt.Errorf("the call API does not answer: %w", err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
		return errors.Join(fmt.Errorf("the call API answers %d", res.StatusCode), err)
	}
	return nil
}

// reachable is where this machine reaches a listener.
func reachable(addr net.Addr) string {
	t, ok := addr.(*net.TCPAddr)
	if !ok {
		return addr.String()
	}
	if t.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(t.Port))
	}
	return t.String()
}

// Board tells which board this is and what works on it.
func (g gateway) Board() admin.Board {
	b := g.a.board
	c := g.a.panel.condition()
	out := admin.Board{Name: b.Name, Title: b.Title, Model: b.Model, Condition: admin.Condition(c), Warnings: append([]string{}, c.Warnings()...)}
	for _, p := range b.Ports {
		out.Parts = append(out.Parts, admin.Part{Name: p.Name, State: "loaded"})
	}
	for _, l := range append([]string{board.SystemLight}, portNames(b)...) {
		if b.Lights.Has(l) {
			out.Parts = append(out.Parts, admin.Part{Name: "light " + l, State: "loaded"})
		}
	}
	for _, p := range b.Problems {
		out.Parts = append(out.Parts, admin.Part{Name: p.Port, State: string(p.Found), Reason: p.Reason})
	}
	return out
}

func portNames(b *board.Board) (names []string) {
	for _, p := range b.Ports {
		names = append(names, p.Name)
	}
	return names
}
