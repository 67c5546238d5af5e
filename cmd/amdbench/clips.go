package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"callbox/media"
	"callbox/media/amd/corpus"
	"callbox/media/wav"
)

// forEach makes the clips 0 to n-1 of a split on all cores and gives each to take,
// from several goroutines at once. It stops at the first error.
func forEach(ctx context.Context, split corpus.Split, n int, take func(i int, c *corpus.Clip) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var studio corpus.Studio
	numbers := make(chan int)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range numbers {
				c, err := studio.Clip(ctx, split, i)
				if err == nil {
					err = take(i, c)
				}
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		select {
		case numbers <- i:
		case <-ctx.Done():
		}
	}
	close(numbers)
	wg.Wait()
	return context.Cause(ctx)
}

// frames gives a clip's sound by 20 ms.
func frames(c *corpus.Clip, take func(f *media.Frame) bool) {
	var f media.Frame
	for i := 0; i+media.FrameSamples <= len(c.Sound); i += media.FrameSamples {
		copy(f[:], c.Sound[i:])
		if !take(&f) {
			return
		}
	}
}

type corpusCommand struct {
	Dir   string `arg:"" help:"Folder to write to; it is made."`
	Split string `default:"test" help:"train, tune or test."`
	Clips int    `default:"200" help:"How many."`
}

// Run writes the clips.
func (c *corpusCommand) Run(ctx context.Context) error {
	split, err := splitOf(c.Split)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	rows := make([][]string, c.Clips)
	err = forEach(ctx, split, c.Clips, func(i int, clip *corpus.Clip) error {
		rows[i] = []string{clip.Name + ".wav", string(clip.Truth), clip.Class, clip.Language, clip.Voice, clip.Line}
		f, err := os.Create(filepath.Join(c.Dir, clip.Name+".wav"))
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // the writer's Close reports
		w, err := wav.NewWriter(f, 1)
		if err == nil {
			err = w.WriteSamples(clip.Sound)
		}
		if err == nil {
			err = w.Close()
		}
		return err
	})
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(c.Dir, "labels.csv"))
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	if err := w.WriteAll(append([][]string{{"file", "label", "class", "language", "voice", "line"}}, rows...)); err != nil {
		f.Close() //nolint:errcheck // the first error counts
		return err
	}
	fmt.Printf("%d clips and labels.csv in %s\n", c.Clips, c.Dir)
	return f.Close()
}
