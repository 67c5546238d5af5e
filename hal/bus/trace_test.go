package bus

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/hal"
)

// fakePin is every kind of pin.
type fakePin struct {
	level hal.Level
	edges chan hal.Edge
	err   error
}

func (p *fakePin) Name() string             { return "P" }
func (p *fakePin) Set(hal.Level) error      { return p.err }
func (p *fakePin) Pull() error              { return p.err }
func (p *fakePin) Release() error           { return p.err }
func (p *fakePin) Read() (hal.Level, error) { return p.level, p.err }
func (p *fakePin) Edges() <-chan hal.Edge   { return p.edges }

func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		tr := NewTrace(&out, 100)
		p := &fakePin{edges: make(chan hal.Edge)}
		in, wait := tr.Input(p)
		_ = tr.Output(p).Set(hal.High)
		_ = tr.Drain(p).Release()
		<-time.After(1500 * time.Millisecond)
		p.edges <- hal.Edge{Level: hal.High, At: time.Now().Add(-time.Millisecond)}
		if e := <-in.Edges(); e.Level != hal.High {
			t.Errorf("edge %v", e)
		}
		_, _ = in.Read()
		_, _ = in.Read()
		p.err = errors.New("broken")
		_ = tr.Drain(p).Pull()
		ch := newChannel()
		pcm := tr.PCM("codec.0", ch)
		ch.captured([]int16{1, -7, 3}, 0, 1)
		_, _ = pcm.Write([]int16{100, -200})
		_ = ch.Close()
		_, _ = pcm.Read(make([]int16, 160))
		close(p.edges)
		wait()
		if _, ok := <-in.Edges(); ok {
			t.Error("edges are open")
		}
		want := `0.000000 P set high
0.000000 P release
1.500000 P edge high 1.499000
1.500000 P read low
1.500000 P pull error broken
1.500000 codec.0 write 2 peak 200
1.500000 codec.0 read 0 peak 0 error device is closed
`
		if out.String() != want {
			t.Errorf("got\n%s\nwant\n%s", out.String(), want)
		}
	})
}

func TestTraceLimit(t *testing.T) {
	var out strings.Builder
	tr := NewTrace(&out, 2)
	p := tr.Output(&fakePin{})
	for range 5 {
		_ = p.Set(hal.Low)
	}
	if n := strings.Count(out.String(), "\n"); n != 2 || tr.Dropped() != 3 {
		t.Errorf("%d lines, %d dropped", n, tr.Dropped())
	}
}
