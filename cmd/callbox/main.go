// Callbox is the firmware of a branch-office telephone gateway: one program
// that takes a Create Call as a cloud provider would, and rings the phone.
//
// main.go reads the command line; every subcommand has a file of its own;
// app.go is the only place that knows all concrete types: it builds them in
// dependency order, starts them and stops them in reverse. This package may
// import everything and nobody imports it. Besides unit tests it holds the
// tests of the architecture (deps_test.go, pkgdoc_test.go); the built binary is
// tested in e2e.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set when the binary is built (Makefile).
var version = "unknown"

// commands is the command line.
type commands struct {
	Serve    serveCmd    `cmd:"" help:"Run the gateway."`
	Demo     demoCmd     `cmd:"" help:"Watch two calls on simulated phones, in one process, in under 30 s."`
	Call     callCmd     `cmd:"" help:"Place a call on the running gateway."`
	Calls    callsCmd    `cmd:"" help:"List the newest calls."`
	Trace    traceCmd    `cmd:"" help:"Show what was said on the lines for a call: its SIP messages and events."`
	Lines    linesCmd    `cmd:"" help:"List the lines and how they are."`
	Bans     bansCmd     `cmd:"" help:"List who gets no answer on SIP for having guessed passwords, or lift the bans of an address."`
	Messages messagesCmd `cmd:"" help:"Show or say how many voice messages wait for users, which lights the lamps of their telephones."`
	Text     textCmd     `cmd:"" help:"Send a text message over a mobile line."`
	Texts    textsCmd    `cmd:"" help:"List the newest text messages, sent and arrived."`
	USSD     ussdCmd     `cmd:"" name:"ussd" help:"Ask a mobile line's network by USSD: callbox ussd gsm1 '*100#'."`
	Flash    flashCmd    `cmd:"" help:"Press the hook of an exchange line shortly, to ask its exchange for something in a call."`
	Tolls    tollsCmd    `cmd:"" help:"List what calls have used today, of accounts and lines, and what the toll guards leave them."`
	Route    routeCmd    `cmd:"" help:"Explain how a number would be routed, without calling."`
	Modems   modemsCmd   `cmd:"" help:"List the GSM and LTE modems, or say all of one: what it is, why there is no sound, what happened."`
	Sim      simCmd      `cmd:"" help:"Steer what is simulated on the sim board: faults, and the people at the far ends."`
	AMD      amdCmd      `cmd:"" name:"amd" help:"Tell people from machines in recordings, as calls do, and say why."`
	Board    boardCmd    `cmd:"" help:"The hardware: what works, how the machine is, and boards of your own."`
	Selftest selftestCmd `cmd:"" help:"Check the board, the lines and the machine, and say what only a person can check."`
	Reset    resetCmd    `cmd:"" help:"Set the box back to how it was when it was new, as its button does."`
	Config   configCmd   `cmd:"" help:"Show or change the configuration."`
	CA       caCmd       `cmd:"" name:"ca" help:"Print the certificate of the box's own CA, for programs that use the API over TLS."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// run is main without the process around it: it gives the exit code.
func run(ctx context.Context, args []string) int {
	var c commands
	p, err := kong.New(&c, kong.Name("callbox"), kong.UsageOnError(),
		kong.Description("A branch-office telephone gateway with a call API: local phones, trunks and lines, addressed as a cloud provider would be."),
		kong.Vars{"data": defaultData()},
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	k, err := p.Parse(args)
	if err != nil {
		p.FatalIfErrorf(err)
	}
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "callbox:", err)
		return 1
	}
	return 0
}

// versionCmd prints the version.
type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run() error {
	fmt.Println("callbox", version)
	return nil
}
