package bus

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/warthog618/go-gpiocdev"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"callbox/hal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeLine remembers what it was asked.
type fakeLine struct {
	did   []string
	value int
	err   error
}

func (l *fakeLine) SetValue(v int) error {
	l.did, l.value = append(l.did, fmt.Sprint("set ", v)), v
	return l.err
}
func (l *fakeLine) Value() (int, error) { return l.value, l.err }
func (l *fakeLine) Reconfigure(o ...gpiocdev.LineConfigOption) error {
	l.did = append(l.did, describe(o))
	return l.err
}
func (l *fakeLine) Close() error { l.did = append(l.did, "close"); return l.err }

func describe[T any](o []T) string {
	s := "config"
	for _, x := range o {
		switch v := any(x).(type) {
		case gpiocdev.OutputOption:
			s += fmt.Sprint(" output ", []int(v))
		case gpiocdev.InputOption:
			s += " input"
		case gpiocdev.LineBias:
			s += fmt.Sprint(" bias ", int(v))
		case gpiocdev.LineEdge:
			s += fmt.Sprint(" edges ", int(v))
		}
	}
	return s
}

// fake gives a requester of l.
func fake(l *fakeLine) requester {
	return func(_ PinRef, o ...gpiocdev.LineReqOption) (line, error) {
		l.did = append(l.did, describe(o))
		return l, l.err
	}
}

var ref = PinRef{Name: "GPIO16", Chip: "pinctrl-bcm2835", Offset: 16}

func TestOutput(t *testing.T) {
	l := &fakeLine{}
	p, err := openOutput(fake(l), ref, hal.High)
	if err != nil {
		t.Fatal(err)
	}
	for _, lev := range []hal.Level{hal.Low, hal.High} {
		if err := p.Set(lev); err != nil {
			t.Error(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if want := []string{"config output [1]", "set 0", "set 1", "close"}; !slices.Equal(l.did, want) {
		t.Errorf("did %q, want %q", l.did, want)
	}
	if p.Name() != "GPIO16" {
		t.Errorf("name %q", p.Name())
	}
}

func TestDrainIsNeverDrivenHigh(t *testing.T) {
	l := &fakeLine{}
	p, err := openDrain(fake(l), ref)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []func() error{p.Release, p.Pull, p.Release, p.Close} {
		if err := f(); err != nil {
			t.Error(err)
		}
	}
	free := fmt.Sprint("config input bias ", int(gpiocdev.LineBiasDisabled))
	if want := []string{"config output [0]", free, "config output [0]", free, "close"}; !slices.Equal(l.did, want) {
		t.Errorf("did %q, want %q", l.did, want)
	}
}

func monotonic(t *testing.T) time.Duration {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

func TestInputEdges(t *testing.T) {
	l := &fakeLine{value: 1}
	p, err := openInput(fake(l), ref, gpiocdev.WithBiasDisabled)
	if err != nil {
		t.Fatal(err)
	}
	if lev, err := p.Read(); lev != hal.High || err != nil {
		t.Errorf("Read = %v, %v", lev, err)
	}
	p.edge(gpiocdev.LineEvent{Type: gpiocdev.LineEventRisingEdge, Timestamp: monotonic(t) - 7*time.Millisecond})
	e := <-p.Edges()
	if age := time.Since(e.At); e.Level != hal.High || age < 7*time.Millisecond || age > time.Minute {
		t.Errorf("edge %v, %v old", e.Level, age)
	}
	// A kernel before 5.7 stamps with the real time: the edge is dated now.
	p.edge(gpiocdev.LineEvent{Type: gpiocdev.LineEventFallingEdge, Timestamp: time.Duration(time.Now().UnixNano())})
	if e := <-p.Edges(); e.Level != hal.Low || time.Since(e.At) > time.Minute || time.Until(e.At) > 0 {
		t.Errorf("edge %+v", e)
	}
	for range maxEdges + 5 {
		p.edge(gpiocdev.LineEvent{Type: gpiocdev.LineEventRisingEdge})
	}
	if p.Lost() != 5 {
		t.Errorf("lost %d edges, want 5", p.Lost())
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	_ = p.Close()
	p.edge(gpiocdev.LineEvent{}) // a late one
	n := 0
	for range p.Edges() {
		n++
	}
	if n != maxEdges {
		t.Errorf("%d edges were kept", n)
	}
}

func TestPinErrors(t *testing.T) {
	for err, want := range map[error]error{
		gpiocdev.ErrClosed: hal.ErrClosed, unix.ENODEV: hal.ErrGone, unix.EIO: unix.EIO,
	} {
		l := &fakeLine{}
		out, _ := openOutput(fake(l), ref, hal.Low)
		in, _ := openInput(fake(l), ref, gpiocdev.WithBiasDisabled)
		l.err = err
		if e := out.Set(hal.High); !errors.Is(e, want) {
			t.Errorf("Set = %v, want %v", e, want)
		}
		if _, e := in.Read(); !errors.Is(e, want) {
			t.Errorf("Read = %v, want %v", e, want)
		}
	}
	bad := &fakeLine{err: unix.EBUSY}
	if _, err := openOutput(fake(bad), ref, hal.Low); !errors.Is(err, unix.EBUSY) {
		t.Errorf("output: %v", err)
	}
	if _, err := openDrain(fake(bad), ref); !errors.Is(err, unix.EBUSY) {
		t.Errorf("drain: %v", err)
	}
	if _, err := openInput(fake(bad), ref, gpiocdev.WithPullUp); !errors.Is(err, unix.EBUSY) {
		t.Errorf("input: %v", err)
	}
}

func TestNoSuchPin(t *testing.T) {
	r := PinRef{Name: "NO_SUCH_LINE", Chip: "no-such-chip", Offset: 3}
	if _, err := OpenOutput(r, hal.Low); !errors.Is(err, ErrNoPin) {
		t.Errorf("OpenOutput = %v", err)
	}
	if _, err := OpenInput(r); !errors.Is(err, ErrNoPin) {
		t.Errorf("OpenInput = %v", err)
	}
	if _, err := OpenDrain(r); !errors.Is(err, ErrNoPin) {
		t.Errorf("OpenDrain = %v", err)
	}
	if s := (PinRef{Chip: "c", Offset: 3}).String(); s != "c:3" {
		t.Errorf("name %q", s)
	}
}
