package ears

import (
	"math"
	"math/rand/v2"
	"testing"
)

const rate = 8000

// sweep is n samples of a sine that goes from one frequency to another.
func sweep(from, to float64, n int) []int16 {
	out := make([]int16, n)
	phase := 0.0
	for i := range out {
		out[i] = int16(8191 * math.Sin(phase))
		phase += 2 * math.Pi * (from + (to-from)*float64(i)/float64(n)) / rate
	}
	return out
}

func TestMatch(t *testing.T) {
	said := sweep(400, 3000, rate)
	noise := make([]int16, rate)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = int16(r.IntN(16000) - 8000)
	}
	quiet := make([]int16, len(said))
	for i, v := range said {
		quiet[i] = v / 8
	}
	silence := make([]int16, 1234)
	join := func(parts ...[]int16) (out []int16) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	for name, tt := range map[string]struct {
		heard    []int16
		min, max float64
	}{
		"itself":              {said, 1, 1},
		"late and quieter":    {join(silence, quiet, silence), 1, 1},
		"a gap of 60 ms":      {join(said[:3000], said[3480:]), 0.85, 0.95},
		"a repeated frame":    {join(said[:3000], said[2840:]), 0.85, 1},
		"half of it":          {said[:4000], 0.5, 0.5},
		"backwards":           {sweep(3000, 400, rate), 0, 0.3},
		"noise":               {noise, 0, 0},
		"silence":             {make([]int16, rate), 0, 0},
		"nothing":             {nil, 0, 0},
		"a tone":              {sweep(1000, 1000, rate), 0, 0.1},
		"every second sample": {join(said[:100], said[200:300], said[400:500]), 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Match(tt.heard, said); got < tt.min || got > tt.max {
				t.Errorf("Match = %.2f, want %.2f to %.2f", got, tt.min, tt.max)
			}
		})
	}
	// The first piece is a hum that was cut off, and is found behind the rest.
	hum := sweep(200, 200, piece)
	if got := Match(join(silence, said, silence, hum, silence), join(hum, said)); got < 0.9 {
		t.Errorf("all but the beginning: Match = %.2f", got)
	}
	if Match(said, nil) != 0 {
		t.Error("nothing said was heard")
	}
}
