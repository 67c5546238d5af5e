package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"
	"time"
)

// bansCmd lists and lifts bans.
type bansCmd struct {
	dataDir
	Lift   string `placeholder:"ADDRESS" help:"Lift the bans of this address, and of the users there."`
	Output string `short:"o" enum:"table,json" default:"table" help:"table or json."`
}

// Run lists the bans, or lifts those of an address.
func (c *bansCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	if c.Lift != "" {
		n, err := cl.Unban(ctx, c.Lift)
		if err != nil {
			return err
		}
		fmt.Printf("%d lifted\n", n)
		return nil
	}
	bans, err := cl.Bans(ctx)
	if err != nil {
		return err
	}
	if c.Output == "json" {
		return printJSON(bans)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ADDRESS\tUSER\tWRONG ANSWERS\tKEPT AWAY\tUNTIL")
	for _, b := range bans {
		user := b.User
		if user == "" {
			user = "(all but proven)"
		}
		fmt.Fprintf(w, "%s\t%q\t%d\t%d\t%s\n", b.Addr, user, b.Failures, b.Dropped, b.Until.Local().Format(time.DateTime))
	}
	return w.Flush()
}
