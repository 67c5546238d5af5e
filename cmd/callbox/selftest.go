package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"callbox/api/admin"
	"callbox/call"
)

// selftestCmd checks the running gateway and its hardware as far as the box can do that
// by itself.
type selftestCmd struct {
	dataDir
	Output string `short:"o" enum:"table,json" default:"table" help:"table or json."`
}

// finding is what a check found.
type finding struct {
	What   string `json:"what"`
	Result string `json:"result"` // "ok", "attention" or "failed"
	Text   string `json:"text,omitempty"`
}

// Results of a check.
const (
	findOK        = "ok"
	findAttention = "attention" // works, or is not fitted, and somebody should know
	findFailed    = "failed"
)

// Run checks and prints. The error says how much has failed.
func (c *selftestCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	b, err := cl.Board(ctx)
	if err != nil {
		return err
	}
	lines, err := cl.Lines(ctx)
	if err != nil {
		return err
	}
	found := selftest(b, lines)
	if c.Output == "json" {
		err = printJSON(found)
	} else {
		err = printFindings(found, lines)
	}
	failed := 0
	for _, f := range found {
		if f.Result == findFailed {
			failed++
		}
	}
	if failed > 0 {
		return errors.Join(err, fmt.Errorf("%d of %d checks failed", failed, len(found)))
	}
	return err
}

// selftest judges what the gateway tells of its board and its lines.
func selftest(b admin.Board, lines []admin.Line) []finding {
	out := []finding{{"board", findOK, b.Title}}
	for _, p := range b.Parts {
		f := finding{What: p.Name, Text: p.Reason}
		f.Result = map[string]string{"loaded": findOK, "skipped": findAttention}[p.State]
		if f.Result == "" {
			f.Result = findFailed
		}
		out = append(out, f)
	}
	for _, w := range b.Warnings {
		out = append(out, finding{"machine", findAttention, w})
	}
	if !b.Condition.ClockKept && b.Condition.ClockSet && b.Condition.ClockFrom == "" {
		out = append(out, finding{"clock", findAttention, "no time server keeps the clock"})
	}
	for _, l := range lines {
		f := finding{What: "line " + l.ID, Result: findOK, Text: l.Status.Text}
		if !l.Status.Ready {
			f.Result = findFailed
			if l.Kind == call.User {
				f.Result = findAttention // the phone may be switched off
			}
		}
		out = append(out, f)
	}
	return out
}

// printFindings prints the checks, and what a person has to hear and see.
func printFindings(found []finding, lines []admin.Line) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	for _, f := range found {
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.Result, f.What, f.Text)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Println("\nThe box cannot hear for you. For each port:")
	for _, l := range lines {
		if step := byEar(l); step != "" {
			fmt.Println("  " + step)
		}
	}
	return nil
}

// byEar is what somebody does to prove a line's sound; empty: nothing.
func byEar(l admin.Line) string {
	const say = `--twiml '<Response><Say>One two three four five.</Say><Record maxLength="10"/></Response>'`
	to := "A-NUMBER-OF-YOURS --line " + l.ID
	switch l.Kind {
	case call.FXS, call.User:
		to = "client:" + l.ID
	case call.Trunk:
		if l.ID == sipLine {
			return ""
		}
	}
	return strings.Join([]string{"callbox call --from +15550100 --to", to, say}, " ")
}
