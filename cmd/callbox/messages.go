package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"text/tabwriter"

	"callbox/api"
)

// messagesCmd shows and sets how many voice messages wait.
type messagesCmd struct {
	dataDir
	User      string `arg:"" optional:"" help:"The user; none: all of them."`
	New       int    `default:"-1" help:"Messages not heard yet; more than 0 lights the lamp of the user's telephones."`
	Old       int    `default:"-1" help:"Messages heard and kept."`
	UrgentNew int    `default:"-1" help:"Those of the new ones that are urgent."`
	UrgentOld int    `default:"-1" help:"Those of the old ones that are urgent."`
	Output    string `short:"o" enum:"table,json" default:"table" help:"table or json."`
}

// Run lists the counts, or changes those of a user that are given.
func (c *messagesCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	all, err := cl.Messages(ctx)
	if err != nil {
		return err
	}
	if c.User != "" {
		n, ok := all[c.User]
		if !ok {
			return fmt.Errorf("the box has no user %q; callbox lines lists them", c.User)
		}
		if c.change(&n) {
			if err := cl.SetMessages(ctx, c.User, n); err != nil {
				return err
			}
		}
		all = map[string]api.Waiting{c.User: n}
	}
	if c.Output == "json" {
		return printJSON(all)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "USER\tNEW\tOLD\tURGENT NEW\tURGENT OLD")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		n := all[name]
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\n", name, n.New, n.Old, n.UrgentNew, n.UrgentOld)
	}
	return w.Flush()
}

// change enters what was given and reports whether anything was.
func (c *messagesCmd) change(n *api.Waiting) bool {
	given := false
	for _, f := range []struct {
		flag int
		to   *int
	}{{c.New, &n.New}, {c.Old, &n.Old}, {c.UrgentNew, &n.UrgentNew}, {c.UrgentOld, &n.UrgentOld}} {
		if f.flag >= 0 {
			*f.to, given = f.flag, true
		}
	}
	return given
}
