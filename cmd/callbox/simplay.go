package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"callbox/api/admin"
	"callbox/hal/sim/scene"
	"callbox/media/wav"
)

// simPlayCmd plays a scene.
type simPlayCmd struct {
	dataDir
	File string `arg:"" type:"existingfile" help:"YAML file: a title, perhaps a country, and steps such as {port: fxs1, do: pick-up, after: 2s}."`
}

// Run plays it. It fails when a step does, or does not happen in its time.
func (c *simPlayCmd) Run(ctx context.Context) error {
	b, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	s, err := scene.Parse(b)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	cl := c.client()
	defer cl.Close()
	began := time.Now()
	say := func(format string, args ...any) {
		fmt.Printf("%7.3f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	if s.Title != "" {
		say("%s", s.Title)
	}
	on := simStage{Client: cl, dir: filepath.Dir(c.File)}
	if err := s.Play(ctx, on, func(step scene.Step) { say("%s", step) }); err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	say("all of it happened")
	return nil
}

var _ scene.Stage = simStage{}

// simStage is the simulation of a running gateway.
type simStage struct {
	*admin.Client
	dir string // of the scene
}

// sim is what is simulated on a port.
func (s simStage) sim(ctx context.Context, port string) (admin.Sim, error) {
	list, err := s.Sims(ctx)
	if err != nil {
		return admin.Sim{}, err
	}
	i := slices.IndexFunc(list, func(x admin.Sim) bool { return x.Port == port })
	if i < 0 {
		return admin.Sim{}, fmt.Errorf("nothing is simulated on a port %q; callbox sim lists what there is", port)
	}
	return list[i], nil
}

// Fault implements scene.Stage.
func (s simStage) Fault(ctx context.Context, port, name string) (string, error) {
	x, err := s.sim(ctx, port)
	if err != nil {
		return "", err
	}
	for _, f := range x.Faults {
		if f.Name == name {
			return f.Value, nil
		}
	}
	return "", fmt.Errorf("no fault %q on %s; callbox sim show %s lists them", name, port, port)
}

// State implements scene.Stage.
func (s simStage) State(ctx context.Context, port, field string) (string, error) {
	x, err := s.sim(ctx, port)
	if err != nil {
		return "", err
	}
	for _, f := range x.State {
		if f.Name == field {
			return f.Value, nil
		}
	}
	return "", fmt.Errorf("%s shows no %q; callbox sim show %s lists what it shows", port, field, port)
}

// Say implements scene.Stage.
func (s simStage) Say(ctx context.Context, port, file string) error {
	if !filepath.IsAbs(file) {
		file = filepath.Join(s.dir, file)
	}
	samples, err := readSpeech(file)
	if err != nil {
		return err
	}
	return s.Client.Say(ctx, port, samples)
}

// readSpeech reads a WAV file that a person can speak.
func readSpeech(file string) ([]int16, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	samples, err := wav.Decode(f, maxSpeech)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return samples, nil
}

var countryLine = regexp.MustCompile(`(?m)^country: *"?([A-Za-z]*)"? *$`)

// SetCountry implements scene.Stage: it changes the gateway's configuration, which the
// simulated exchanges follow.
func (s simStage) SetCountry(ctx context.Context, code string) (string, error) {
	file, err := s.Export(ctx, false) // an import keeps the secrets
	if err != nil {
		return "", err
	}
	m := countryLine.FindSubmatch(file)
	if m == nil {
		return "", errors.New("the gateway's configuration names no country")
	}
	old := string(m[1])
	if old == code {
		return old, nil
	}
	_, err = s.Import(ctx, countryLine.ReplaceAll(file, []byte("country: "+code)), false)
	return old, err
}
