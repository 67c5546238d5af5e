package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"callbox/board"
	"callbox/call"
	"callbox/call/line/fxo"
	"callbox/call/number"
	"callbox/call/route"
	"callbox/hal/vmodem"
	"callbox/storage/config"
)

// exchangeLine is the configuration of an exchange line port.
func exchangeLine(snap *config.Snapshot, port string) (config.ExchangeLine, bool) {
	i := slices.IndexFunc(snap.ExchangeLines, func(l config.ExchangeLine) bool { return l.Port == port })
	if i < 0 {
		return config.ExchangeLine{Port: port}, false
	}
	return snap.ExchangeLines[i], true
}

// overExchangeLines writes numbers as they are dialled in the country: exchange lines
// know no plus.
func overExchangeLines(snap *config.Snapshot, attempts []route.Attempt) []route.Attempt {
	for i, a := range attempts {
		l, ok := exchangeLine(snap, a.Line)
		if !ok || !strings.HasPrefix(a.To, "+") {
			continue
		}
		if n, err := number.Parse(a.To, cmp.Or(l.Country, snap.Country)); err == nil && n.Local != "" {
			attempts[i].To = n.Local
		}
	}
	return attempts
}

// wantedExchange is the line of an exchange line port.
func (a *app) wantedExchange(p board.Port, snap config.Snapshot) wantedLine {
	l, _ := exchangeLine(&snap, p.Name)
	country := cmp.Or(l.Country, snap.Country)
	return wantedLine{id: p.Name, print: fingerprint(l, country), make: func() (call.Line, error) {
		p.Localise(country, vmodem.CallerID(l.CallerID))
		answer := fxo.AnswerSign(l.Answer)
		if l.Answer == "auto" {
			answer = fxo.AnswerAuto
		}
		refuse := fxo.Refusal(l.Refuse)
		if l.Refuse == "ring" {
			refuse = fxo.RefuseRing
		}
		return fxo.New(fxo.Config{ID: p.Name, Number: l.Number, Country: country, Pulse: l.Dialling == "pulse", Blind: l.Blind,
			Answer: answer, AnswerAfter: l.AnswerAfter.Std(), Refuse: refuse, NoLoop: l.IgnoreLoop, Silence: l.HangupSilence.Std(),
			CallerWait: l.CallerWait.Std(), EchoTail: time.Duration(l.EchoTail) * time.Millisecond,
			Note: func(at time.Time, text string) { a.trace.Line(at, p.Name, "line", false, text) }, Log: a.log}, p.Exchange, p.PCM)
	}}
}

// Flash implements admin.Flash.
func (g gateway) Flash(ctx context.Context, line string) error {
	l, ok := g.a.lines.Line(line)
	if !ok {
		return fmt.Errorf("%w: the box has no line %q; callbox lines lists them", call.ErrNotFound, line)
	}
	f, ok := l.(call.Flasher)
	if !ok {
		return fmt.Errorf("%w: line %s is a %s line; only exchange lines have a hook to press", call.ErrNotFound, line, l.Kind())
	}
	return f.Flash(ctx)
}

// flashCmd presses the hook of an exchange line.
type flashCmd struct {
	dataDir
	Line string `arg:"" help:"An exchange line that is in a call, as callbox lines shows it."`
}

// Run presses it.
func (c *flashCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	return cl.Flash(ctx, c.Line)
}
