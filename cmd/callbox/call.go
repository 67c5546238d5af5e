package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"callbox/api/admin"
	"callbox/call"
)

// dataDir is where the gateway keeps everything, and its control socket.
type dataDir struct {
	Data string `default:"${data}" env:"CALLBOX_DATA" help:"Folder of the gateway's data." type:"path"`
}

// socketName is the control socket below the data folder.
const socketName = "callbox.sock"

func (d dataDir) client() *admin.Client { return admin.NewClient(filepath.Join(d.Data, socketName)) }

// callCmd places a call by hand.
type callCmd struct {
	dataDir
	From    string `required:"" help:"Number or user shown to the callee."`
	To      string `required:"" help:"Number, phone, sip: URI or client:name to call."`
	Line    string `help:"Line to call over; empty: as the routes say."`
	URL     string `help:"Where the call's TwiML is fetched." xor:"script" required:""`
	Twiml   string `help:"The call's TwiML itself." xor:"script" required:""`
	Timeout int    `help:"Seconds to let it ring." default:"60"`
	Record  bool   `help:"Record the call."`
	Follow  bool   `help:"Print what happens until the call has ended; exit 1 unless it was answered."`
}

// Run places the call.
func (c *callCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	n := admin.NewCall{From: c.From, To: c.To, Line: c.Line, URL: c.URL, Twiml: c.Twiml, Timeout: c.Timeout, Record: c.Record}
	if !c.Follow {
		rec, err := cl.Create(ctx, n)
		if err != nil {
			return err
		}
		fmt.Println(rec.ID)
		return nil
	}
	return follow(ctx, cl, n)
}

// follow places the call and prints its events until it has ended. The stream
// is opened first, so that nothing is missed.
func follow(ctx context.Context, cl *admin.Client, n admin.NewCall) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ready, events, failed := make(chan struct{}), make(chan admin.Event, 256), make(chan error, 1)
	go func() {
		failed <- cl.Events(ctx, "", ready, func(ev admin.Event) bool {
			select {
			case events <- ev:
				return true
			case <-ctx.Done():
				return false
			}
		})
	}()
	select {
	case <-ready:
	case err := <-failed:
		return err
	}
	rec, err := cl.Create(ctx, n)
	if err != nil {
		cancel()
		<-failed
		return err
	}
	fmt.Println(rec.ID)
	began := time.Now()
	for {
		select {
		case ev := <-events:
			if ev.Record.ID != rec.ID && ev.Record.Parent != rec.ID {
				continue
			}
			fmt.Println(line(ev, began))
			if ev.Record.ID == rec.ID && ev.Type == call.EventEnded {
				cancel()
				<-failed
				return outcome(ev.Record)
			}
		case err := <-failed:
			return errors.Join(errors.New("the gateway went away"), err)
		}
	}
}

// line is one event for people.
func line(ev admin.Event, began time.Time) string {
	what := string(ev.Type)
	switch {
	case ev.Type == call.EventEnded:
		what = ev.Record.State.String()
		if ev.Record.Cause != nil {
			what += ": " + ev.Record.Cause.Error()
		}
	case ev.Recording != nil:
		what = "recording " + ev.Recording.ID + " " + ev.Recording.Status
	case ev.Note != "":
		what += " " + ev.Note
	}
	return fmt.Sprintf("%7.3f s  %s  %s", max(0, ev.At.Sub(began).Seconds()), ev.Record.ID, what)
}

// outcome is nil when the call was answered, else the reason as an error.
func outcome(r call.Record) error {
	if r.State == call.Completed {
		return nil
	}
	if r.Cause == nil {
		return errors.New("the call was not answered: " + r.State.String())
	}
	return fmt.Errorf("the call was not answered: %w", *r.Cause)
}

// callsCmd lists calls.
type callsCmd struct {
	dataDir
	Output string `short:"o" enum:"table,json" default:"table" help:"table or json."`
	Limit  int    `short:"n" default:"20" help:"How many, 1 to 1000."`
}

// Run lists the calls.
func (c *callsCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	recs, err := cl.Calls(ctx, c.Limit)
	if err != nil {
		return err
	}
	if c.Output == "json" {
		if recs == nil {
			recs = []call.Record{}
		}
		return printJSON(recs)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "CREATED\tID\tFROM\tTO\tLINE\tSTATE\tSECONDS\tMOS\tCAUSE")
	for _, r := range recs {
		cause := ""
		if r.Cause != nil {
			cause = r.Cause.Error()
		}
		mos := "-"
		if r.Quality != nil {
			mos = fmt.Sprintf("%.1f", r.Quality.MOS)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%.0f\t%s\t%s\n", r.Created.Local().Format(time.DateTime),
			r.ID, r.From, r.To, r.Line, r.State, r.Duration(time.Now()).Seconds(), mos, cause)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range recs {
		if len(r.Warnings) > 0 {
			fmt.Printf("\nWarnings of %s:\n  %s\n", r.ID, strings.Join(r.Warnings, "\n  "))
		}
	}
	return nil
}

func printJSON(v any) error {
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// linesCmd lists the lines.
type linesCmd struct {
	dataDir
	Output string `short:"o" enum:"table,json" default:"table" help:"table or json."`
}

// Run lists the lines.
func (c *linesCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	lines, err := cl.Lines(ctx)
	if err != nil {
		return err
	}
	if c.Output == "json" {
		return printJSON(lines)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "LINE\tKIND\tREADY\tBUSY\tSTATUS")
	for _, l := range lines {
		fmt.Fprintf(w, "%s\t%s\t%v\t%d\t%s\n", l.ID, l.Kind, l.Status.Ready, l.Status.Busy, l.Status.Text)
	}
	return w.Flush()
}

// routeCmd explains a route.
type routeCmd struct {
	dataDir
	To   string `arg:"" help:"Number, phone or sip: URI."`
	From string `help:"The caller, where rules look at it."`
}

// Run explains the route.
func (c *routeCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	reasons, err := cl.Explain(ctx, c.To, c.From)
	if err != nil {
		return err
	}
	for _, r := range reasons {
		fmt.Println(r)
	}
	return nil
}

// configCmd shows and changes the configuration.
type configCmd struct {
	Export exportCmd `cmd:"" help:"Print the configuration as YAML."`
	Import importCmd `cmd:"" help:"Replace the configuration with a YAML file."`
}

// exportCmd prints the configuration.
type exportCmd struct {
	dataDir
	Secrets bool `help:"Include passwords and tokens."`
}

// Run prints the configuration.
func (c *exportCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	b, err := cl.Export(ctx, c.Secrets)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(b)
	return err
}

// importCmd replaces the configuration.
type importCmd struct {
	dataDir
	File   string `arg:"" type:"existingfile" help:"The YAML file."`
	DryRun bool   `help:"Only say what would change."`
}

// Run replaces the configuration.
func (c *importCmd) Run(ctx context.Context) error {
	b, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	cl := c.client()
	defer cl.Close()
	diff, err := cl.Import(ctx, b, c.DryRun)
	if err != nil {
		return err
	}
	if len(diff) == 0 {
		fmt.Println("nothing changes")
	}
	for _, d := range diff {
		fmt.Println(d)
	}
	return nil
}
