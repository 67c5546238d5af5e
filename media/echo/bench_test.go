package echo

import (
	"fmt"
	"testing"
	"time"

	"callbox/media"
)

// BenchmarkCanceller is the cost of one line's frame, while the far party speaks
// and while nobody does.
func BenchmarkCanceller(b *testing.B) {
	far := speak(b, "en", farText, 4*time.Second, -15)
	near := hybrids()[1].loss(10).echo(far)
	for _, tail := range []time.Duration{16 * time.Millisecond, 32 * time.Millisecond, 64 * time.Millisecond} {
		b.Run(fmt.Sprintf("tail=%v", tail), func(b *testing.B) { frames(b, Config{Tail: tail}, far, near) })
	}
	b.Run("silence", func(b *testing.B) { frames(b, Config{}, make([]float64, len(far)), near) })
}

func frames(b *testing.B, cfg Config, far, near []float64) {
	c := must(b, cfg)
	f, n := make([]media.Frame, len(far)/160), make([]media.Frame, len(far)/160)
	for i := range f {
		for k := range f[i] {
			f[i][k], n[i][k] = int16(far[i*160+k]), int16(near[i*160+k])
		}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		m := n[i]
		c.Process(&f[i], &m)
		if i++; i == len(f) {
			i = 0
		}
	}
}
