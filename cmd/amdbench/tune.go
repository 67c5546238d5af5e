package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"callbox/media"
	"callbox/media/amd"
	"callbox/media/amd/corpus"
)

type tuneCommand struct {
	Clips int `default:"2000" help:"How many clips of the tune split."`
}

// moment is what the model thinks after some time of a clip.
type moment struct {
	at, quiet time.Duration
	p         float64
}

// course is a clip as the model hears it, up to what a tone decides.
type course struct {
	truth   corpus.Truth
	moments []moment
	tone    bool // a beep or SIT ended it
}

// follow listens to a clip without deciding.
func follow(c *corpus.Clip) course {
	way := course{truth: c.Truth}
	m := amd.NewMeter()
	n := 0
	frames(c, func(f *media.Frame) bool {
		m.Write(f)
		if m.TonesTell() {
			way.tone = true
			return false
		}
		x, ok := m.Features()
		if n++; ok && n%2 == 0 && !m.ToneSounds() {
			way.moments = append(way.moments, moment{m.Now(), time.Duration(float64(x[amd.Quiet]) * float64(time.Second)), amd.MachineProbability(&x)})
		}
		return true
	})
	return way
}

// Run tries limits of the decision on the clips for tuning.
func (c *tuneCommand) Run(ctx context.Context) error {
	list := make([]course, c.Clips)
	err := forEach(ctx, corpus.Tune, c.Clips, func(i int, clip *corpus.Clip) error {
		list[i] = follow(clip)
		return nil
	})
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "machine from\tperson below\tmost quiet\tpeople wronged\tmachines missed\tperson p50\tp95\tmachine p50")
	for _, sure := range []float64{.95, .96, .97, .975, .98, .99} {
		for _, human := range []float64{.02, .03, .04, .05, .06, .08, .1, .15} {
			for _, most := range []time.Duration{1500, 1800, 2100} {
				tried(w, list, amd.Limits{Machine: sure, Human: human, LeastQuiet: 300 * time.Millisecond, MostQuiet: most * time.Millisecond})
			}
		}
	}
	return w.Flush()
}

func tried(w *tabwriter.Writer, list []course, l amd.Limits) {
	var people, wronged, machines, missed int
	var person, machine []time.Duration
	for _, c := range list {
		said, at := c.tone, time.Duration(0)
		for _, m := range c.moments {
			verdict, ok := l.Decide(m.p, m.quiet)
			if at = m.at; ok {
				said = verdict == amd.MachineStart
				break
			}
		}
		switch c.truth {
		case corpus.Human:
			if people++; said {
				wronged++
			} else {
				person = append(person, at)
			}
		case corpus.Machine:
			if machines++; said {
				machine = append(machine, at)
			} else {
				missed++
			}
		}
	}
	fmt.Fprintf(w, "%.3f\t%.2f\t%v\t%.2f %%\t%.2f %%\t%.2f s\t%.2f s\t%.2f s\n", l.Machine, l.Human, l.MostQuiet,
		percent(wronged, people), percent(missed, machines), quantile(person, .5), quantile(person, .95), quantile(machine, .5))
}
