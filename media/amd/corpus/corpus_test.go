package corpus_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/media"
	"callbox/media/amd"
	"callbox/media/amd/corpus"
)

func clip(t *testing.T, s *corpus.Studio, n int) *corpus.Clip {
	t.Helper()
	c, err := s.Clip(t.Context(), corpus.Test, n)
	if err != nil {
		t.Fatalf("clips need espeak-ng (apt-get install espeak-ng): %v", err)
	}
	return c
}

// TestSameTwice: a clip's number is all that makes it.
func TestSameTwice(t *testing.T) {
	t.Parallel()
	for n := range 5 {
		a, b := clip(t, &corpus.Studio{EspeakOnly: true}, n), clip(t, &corpus.Studio{EspeakOnly: true}, n)
		if class := corpus.ClassOf(corpus.Test, n); !strings.HasPrefix(a.Class, class) || !slices.Contains(corpus.Classes(), class) {
			t.Errorf("clip %d is %q, foretold was %q", n, a.Class, class)
		}
		if !slices.Equal(a.Sound, b.Sound) || a.Line != b.Line || len(a.Sound) < media.SampleRate {
			t.Errorf("clip %d differs: %+v, %+v", n, a.Line, b.Line)
		}
	}
}

// TestVerdicts holds the detection to its figures on clips with voices, languages
// and words that the model has not learnt from. make bench-amd prints them for many
// more, with more voices.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	studio := &corpus.Studio{EspeakOnly: true}
	var people, wronged, right int
	const clips = 240
	for n := range clips {
		c := clip(t, studio, n)
		got := amd.Judge(amd.Config{Timeout: 30 * time.Second, Silence: 5 * time.Second}, c.Sound)
		truth := corpus.Truth(got.Result.Answered())
		if truth == c.Truth {
			right++
		} else {
			t.Logf("%s, %s (%s; %s): %s after %v: %s", c.Name, c.Class, c.Voice, c.Line, got.Result, got.At, got.Why)
		}
		if c.Truth == corpus.Human {
			if people++; truth == corpus.Machine {
				wronged++
			}
		}
	}
	t.Logf("%d of %d right, %d of %d people called machines", right, clips, wronged, people)
	if right < clips*93/100 || wronged > people*3/100 {
		t.Errorf("%d of %d right, wanted 93 %%; %d of %d people called machines, wanted at most 3 %%", right, clips, wronged, people)
	}
}
