package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"callbox/api/admin"
	"callbox/call"
	"callbox/hal/sim"
	"callbox/media/wav"
)

// far finds a simulated far side of the board.
func (g gateway) far(port string) (sim.Faulty, error) {
	p, ok := g.a.board.Port(port)
	if !ok || p.Far == nil {
		return nil, fmt.Errorf("%w: nothing is simulated on a port %q", call.ErrNotFound, port)
	}
	return p.Far, nil
}

// person finds who is at one.
func (g gateway) person(port string) (sim.Person, error) {
	f, err := g.far(port)
	if err != nil {
		return nil, err
	}
	p, ok := f.(sim.Person)
	if !ok {
		return nil, fmt.Errorf("%w: nobody is at port %s", call.ErrNotFound, port)
	}
	return p, nil
}

// Sims implements admin.Sims.
func (g gateway) Sims() []admin.Sim {
	out := []admin.Sim{}
	for _, p := range g.a.board.Ports {
		if p.Far == nil {
			continue
		}
		s := admin.Sim{Port: p.Name, Acts: []admin.SimAct{}, State: []admin.SimField{}}
		if v, ok := p.Far.(sim.Visible); ok {
			for _, f := range v.State() {
				s.State = append(s.State, admin.SimField(f))
			}
		}
		if v, ok := p.Far.(sim.Able); ok {
			for _, a := range v.Acts() {
				s.Acts = append(s.Acts, admin.SimAct(a))
			}
		}
		for _, f := range p.Far.Faults() {
			s.Faults = append(s.Faults, admin.Fault(f))
		}
		out = append(out, s)
	}
	return out
}

// SetFault implements admin.Sims.
func (g gateway) SetFault(port, name, value string) error {
	f, err := g.far(port)
	if err == nil {
		err = f.SetFault(name, value)
	}
	if err == nil {
		g.a.log.Info("simulated fault", "port", port, "fault", name, "value", value)
	}
	return err
}

// Act implements admin.Sims.
func (g gateway) Act(ctx context.Context, port, action, with string) error {
	p, err := g.person(port)
	if err != nil {
		return err
	}
	switch action {
	case "pick-up":
		return p.PickUp(ctx)
	case "hang-up":
		return p.HangUp(ctx)
	case "call":
		return p.Call(ctx, with)
	case "press":
		return p.Press(ctx, with)
	}
	if able, ok := p.(sim.Able); ok {
		return able.Do(ctx, action, with)
	}
	return fmt.Errorf("nobody can %q: want pick-up, hang-up, call or press", action)
}

// Say implements admin.Sims.
func (g gateway) Say(ctx context.Context, port string, samples []int16) error {
	p, err := g.person(port)
	if err != nil {
		return err
	}
	return p.Say(ctx, samples)
}

// Heard implements admin.Sims.
func (g gateway) Heard(port string) ([]int16, error) {
	p, err := g.person(port)
	if err != nil {
		return nil, err
	}
	return p.Heard(), nil
}

// simCmd steers the simulation.
type simCmd struct {
	List  simListCmd  `cmd:"" default:"withargs" help:"List what is simulated, how it is, and what is wrong with it."`
	Show  simShowCmd  `cmd:"" help:"Show how one is, what it can do and what can be wrong with it."`
	Fault simFaultCmd `cmd:"" help:"Switch a fault: callbox sim fault fxs1 dead on."`
	Do    simDoCmd    `cmd:"" help:"Have the person at a port do something: callbox sim do fxs1 call 5550123."`
	Say   simSayCmd   `cmd:"" help:"Have the person at a port speak a WAV file."`
	Play  simPlayCmd  `cmd:"" help:"Play a scene: acts and faults at their times, from a file."`
	Heard simHeardCmd `cmd:"" help:"Write what the person at a port heard to a WAV file."`
}

type simListCmd struct {
	dataDir
	Output string `short:"o" enum:"table,json" default:"table" help:"table or json."`
}

// Run lists them.
func (c *simListCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	list, err := cl.Sims(ctx)
	if err != nil {
		return err
	}
	if c.Output == "json" {
		return printJSON(list)
	}
	if len(list) == 0 {
		return errors.New("nothing is simulated: the gateway runs on a real board")
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "PORT\tSTATE\tFAULTS")
	for _, s := range list {
		var state, faults []string
		for _, f := range s.State[:min(3, len(s.State))] {
			state = append(state, f.Name+" "+f.Value)
		}
		for _, f := range s.Faults {
			if f.Value != "off" {
				faults = append(faults, f.Name+" "+f.Value)
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Port, strings.Join(state, ", "), strings.Join(faults, ", "))
	}
	return w.Flush()
}

type simShowCmd struct {
	dataDir
	Port   string `arg:"" help:"The port, as callbox sim list shows it."`
	Output string `short:"o" enum:"table,json" default:"table" help:"table or json."`
}

// Run shows it.
func (c *simShowCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	list, err := cl.Sims(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(s admin.Sim) bool { return s.Port == c.Port })
	if i < 0 {
		return fmt.Errorf("nothing is simulated on a port %q; callbox sim lists what there is", c.Port)
	}
	if c.Output == "json" {
		return printJSON(list[i])
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	for _, f := range list[i].State {
		fmt.Fprintf(w, "%s\t%s\n", f.Name, f.Value)
	}
	fmt.Fprintln(w, "\nDO\t")
	for _, a := range list[i].Acts {
		fmt.Fprintf(w, "%s\t%s\n", strings.TrimSpace(a.Name+" "+a.With), a.About)
	}
	fmt.Fprintln(w, "\nFAULT\tVALUE\t")
	for _, f := range list[i].Faults {
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.Name, f.Value, f.About)
	}
	return w.Flush()
}

type simFaultCmd struct {
	dataDir
	Port  string `arg:"" help:"The port, as callbox sim list shows it."`
	Name  string `arg:"" help:"The fault."`
	Value string `arg:"" help:"on, off, a number, or a time such as 200ms."`
}

// Run switches the fault.
func (c *simFaultCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	return cl.SetFault(ctx, c.Port, c.Name, c.Value)
}

type simDoCmd struct {
	dataDir
	Port   string `arg:"" help:"The port, as callbox sim list shows it."`
	Action string `arg:"" help:"pick-up, hang-up, call or press, and what callbox sim show lists besides."`
	With   string `arg:"" optional:"" help:"The number to call, the keys to press."`
}

// Run does it.
func (c *simDoCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	return cl.Act(ctx, c.Port, c.Action, c.With)
}

// maxSpeech bounds what a person says at once.
const maxSpeech = 2 * time.Minute

type simSayCmd struct {
	dataDir
	Port string `arg:"" help:"The port, as callbox sim list shows it."`
	File string `arg:"" type:"existingfile" help:"WAV file, at most 2 minutes."`
}

// Run speaks it.
func (c *simSayCmd) Run(ctx context.Context) error {
	samples, err := readSpeech(c.File)
	if err != nil {
		return err
	}
	cl := c.client()
	defer cl.Close()
	return cl.Say(ctx, c.Port, samples)
}

type simHeardCmd struct {
	dataDir
	Port string `arg:"" help:"The port, as callbox sim list shows it."`
	File string `arg:"" type:"path" help:"WAV file to write."`
}

// Run writes it.
func (c *simHeardCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	samples, err := cl.Heard(ctx, c.Port)
	if err != nil {
		return err
	}
	f, err := os.Create(c.File)
	if err != nil {
		return err
	}
	return errors.Join(writeWAV(f, samples), f.Close())
}

// writeWAV writes a mono file.
func writeWAV(f io.WriteSeeker, samples []int16) error {
	w, err := wav.NewWriter(f, 1)
	if err != nil {
		return err
	}
	return errors.Join(w.WriteSamples(samples), w.Close())
}
