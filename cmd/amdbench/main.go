// Amdbench trains the model of the answering machine detection and prints
// how often it is right. Nothing of it is in the gateway.
//
//	amdbench train FILE   learns from the clips for training and writes media/amd/model.go
//	amdbench tune         tries limits of the decision on the clips for tuning
//	amdbench table        prints the figures on the clips for testing
//	amdbench corpus DIR   writes the clips for testing as WAV files, with their labels
//
// It may import media and everything below. It is tested by being run: the figures
// are what it is for, and the trainer's file must come out the same every time.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/alecthomas/kong"

	"callbox/media/amd/corpus"
)

type program struct {
	Train  trainCommand  `cmd:"" help:"Learn from the clips for training and write the model's table."`
	Tune   tuneCommand   `cmd:"" help:"Try limits of the decision on the clips for tuning."`
	Table  tableCommand  `cmd:"" help:"Print how often the detection is right on the clips for testing."`
	Corpus corpusCommand `cmd:"" help:"Write clips as WAV files, and their labels as labels.csv."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var p program
	k := kong.Parse(&p, kong.BindTo(ctx, (*context.Context)(nil)))
	k.FatalIfErrorf(k.Run())
}

// splitOf reads a split's name.
func splitOf(name string) (corpus.Split, error) {
	for _, s := range []corpus.Split{corpus.Train, corpus.Tune, corpus.Test} {
		if s.String() == name {
			return s, nil
		}
	}
	return 0, fmt.Errorf("there is no split %q: it is train, tune or test", name)
}
