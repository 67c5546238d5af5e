package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"callbox/api/admin"
	"callbox/api/twilio"
	"callbox/call"
)

var _ admin.Texts = gateway{}

// Texts implements admin.Texts.
func (g gateway) Texts(limit int) []call.Message {
	list := []call.Message{}
	g.a.texts.Each(func(m call.Message) { list = append(list, m) })
	slices.Reverse(list)
	return list[:min(limit, len(list))]
}

// SendText implements admin.Texts.
func (g gateway) SendText(ctx context.Context, n admin.NewText) (call.Message, error) {
	if n.To == "" || n.Body == "" {
		return call.Message{}, errors.New("a text message needs a receiver and a text")
	}
	m := call.Message{API: twilio.Name, Account: g.Account(), Direction: call.OutboundAPI, From: n.From, To: n.To, Body: n.Body}
	for _, l := range g.a.lines.texters() {
		if l.ID() == n.From && l.Number() != "" {
			m.From = l.Number()
		}
	}
	return g.a.texts.SendMessage(ctx, m)
}

// texter finds a line that talks to its network.
func (g gateway) texter(line string) (call.Texter, error) {
	l, ok := g.a.lines.Line(line)
	if !ok {
		return nil, fmt.Errorf("%w: the box has no line %q; callbox lines lists them", call.ErrNotFound, line)
	}
	t, ok := l.(call.Texter)
	if !ok {
		return nil, fmt.Errorf("%w: line %s is a %s line; only mobile lines have USSD", call.ErrNotFound, line, l.Kind())
	}
	return t, nil
}

// USSD implements admin.Texts.
func (g gateway) USSD(ctx context.Context, line, code string) (call.USSDAnswer, error) {
	t, err := g.texter(line)
	if err != nil {
		return call.USSDAnswer{}, err
	}
	return t.USSD(ctx, code)
}

// CancelUSSD implements admin.Texts.
func (g gateway) CancelUSSD(ctx context.Context, line string) error {
	t, err := g.texter(line)
	if err != nil {
		return err
	}
	return t.CancelUSSD(ctx)
}

// ussdCmd asks a network by USSD.
type ussdCmd struct {
	dataDir
	Line string   `arg:"" help:"The mobile line: gsm1."`
	Code string   `arg:"" optional:"" help:"What to send: '*100#', or the answer to a menu that the network has shown."`
	Then []string `arg:"" optional:"" help:"Answers to the menus that follow, one after another."`
	End  bool     `help:"End the session in which the network waits for an answer."`
}

// Run sends the code and its answers, and prints what the network says.
func (c *ussdCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	if c.Code == "" && !c.End {
		return errors.New("say what to send, such as '*100#', or --end")
	}
	more := false
	for i, code := range append([]string{c.Code}, c.Then...) {
		if code == "" {
			continue
		}
		if i > 0 && !more {
			return fmt.Errorf("the network waits for no answer; %q was not sent", code)
		}
		a, err := cl.USSD(ctx, c.Line, code)
		if err != nil {
			return err
		}
		fmt.Println(a.Text)
		more = a.More
	}
	if c.End {
		return cl.CancelUSSD(ctx, c.Line)
	}
	if more {
		fmt.Fprintf(os.Stderr, "The network waits for an answer: callbox ussd %s ANSWER, or --end.\n", c.Line)
	}
	return nil
}

// textCmd sends a text message.
type textCmd struct {
	dataDir
	To   string `arg:"" help:"Number of the receiver."`
	Body string `arg:"" help:"The text."`
	From string `help:"Number or mobile line that sends it; not needed where the box has only one."`
	Wait bool   `help:"Wait until the network has taken or refused it; exit 1 if it was not sent."`
}

// Run sends it.
func (c *textCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	m, err := cl.SendText(ctx, admin.NewText{From: c.From, To: c.To, Body: c.Body})
	if err != nil {
		return err
	}
	fmt.Println(m.ID)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for c.Wait && (m.Status == call.MessageQueued || m.Status == call.MessageSending) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		list, err := cl.Texts(ctx, 1000)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(list, func(x call.Message) bool { return x.ID == m.ID }); i >= 0 {
			m = list[i]
		}
	}
	if m.Status == call.MessageFailed {
		return errors.New("it was not sent: " + m.Error)
	}
	return nil
}

// textsCmd lists text messages.
type textsCmd struct {
	dataDir
	Limit  int    `default:"20" help:"How many of the newest (1 to 1000)."`
	Output string `short:"o" enum:"table,json" default:"table" help:"table or json."`
}

// Run lists them, the newest first.
func (c *textsCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	list, err := cl.Texts(ctx, c.Limit)
	if err != nil {
		return err
	}
	if c.Output == "json" {
		return printJSON(list)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tWHEN\tLINE\tFROM\tTO\tSTATUS\tTEXT")
	for _, m := range list {
		body := []rune(m.Body)
		if len(body) > 40 {
			body = append(body[:39], '…')
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%q\n", m.ID, m.Created.Local().Format(time.DateTime), cmp.Or(m.Line, "-"), m.From, m.To,
			cmp.Or(string(m.Status), "-"), string(body))
		if m.Error != "" {
			fmt.Fprintf(w, "\t\t\t\t\t\t%s\n", m.Error)
		}
	}
	return w.Flush()
}
