package sim

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Fault is something that can be wrong with a simulated far side.
type Fault struct {
	Name  string `json:"name"`  // "dead"
	About string `json:"about"` // one sentence
	Value string `json:"value"` // "off", "on", a number, a duration
}

// Faulty is a far side whose faults can be switched while it runs.
type Faulty interface {
	// Faults lists all that there are and how they are set.
	Faults() []Fault
	// SetFault sets one; "off" ends it. The error says which there are, or which
	// values it takes.
	SetFault(name, value string) error
}

// Person is who is at a far side: lifts, listens, speaks. Sound is 8,000 Hz.
type Person interface {
	PickUp(ctx context.Context) error
	HangUp(ctx context.Context) error
	// Call calls the box.
	Call(ctx context.Context, number string) error
	// Press presses keys, about 100 ms each, and returns when the last was let go.
	Press(ctx context.Context, keys string) error
	// Say speaks and returns when all was said.
	Say(ctx context.Context, samples []int16) error
	// Heard is what was heard of the present or the last call.
	Heard() []int16
}

// Able is a far side that can do more than a [Person] anywhere can.
type Able interface {
	// Acts lists what Do can do, and what a person can.
	Acts() []Act
	// Do does it and returns when it is done. The error says which acts there are.
	Do(ctx context.Context, act, with string) error
}

// Act is something that a far side can do.
type Act struct {
	Name  string `json:"name"`
	With  string `json:"with,omitempty"` // "KEYS"; in brackets where it may be left out
	About string `json:"about"`
}

// Visible is a far side that shows how it is.
type Visible interface {
	// State tells it, what matters most first.
	State() []Field
}

// Field is one thing to know of a far side.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// errBroken is what things fail with that were broken by a switch.
var errBroken = errors.New("broken by the simulator")

// Knob is a fault and where its value is kept.
type Knob struct {
	Name, About string
	Ref         any // *bool, *int, *float64, *time.Duration, or *error that is on or off
}

// Knobs is the table of a far side's faults. Its methods read and write what Ref
// points to; the caller holds the lock of that.
type Knobs []Knob

// List gives the faults and their values.
func (k Knobs) List() []Fault {
	out := make([]Fault, len(k))
	for i, n := range k {
		out[i] = Fault{Name: n.Name, About: n.About, Value: n.value()}
	}
	return out
}

func (n Knob) value() string {
	s := "off"
	switch v := n.Ref.(type) {
	case *bool:
		if *v {
			s = "on"
		}
	case *error:
		if *v != nil {
			s = "on"
		}
	case *int:
		if *v != 0 {
			s = strconv.Itoa(*v)
		}
	case *float64:
		if *v != 0 {
			s = strconv.FormatFloat(*v, 'g', -1, 64)
		}
	case *time.Duration:
		if *v != 0 {
			s = v.String()
		}
	}
	return s
}

// Set sets one.
func (k Knobs) Set(name, value string) error {
	names := make([]string, len(k))
	for i, n := range k {
		if names[i] = n.Name; n.Name == name {
			return n.set(value)
		}
	}
	return fmt.Errorf("no fault %q: want one of %s", name, strings.Join(names, ", "))
}

func (n Knob) set(value string) (err error) {
	off := value == "off"
	switch v := n.Ref.(type) {
	case *bool:
		if !off && value != "on" {
			return fmt.Errorf("fault %s: %q is neither on nor off", n.Name, value)
		}
		*v = !off
	case *error:
		if !off && value != "on" {
			return fmt.Errorf("fault %s: %q is neither on nor off", n.Name, value)
		}
		if *v = nil; !off {
			*v = errBroken
		}
	case *int:
		x := 0
		if !off {
			if x, err = strconv.Atoi(value); err != nil {
				return fmt.Errorf("fault %s: %q is neither a number nor off", n.Name, value)
			}
		}
		*v = x
	case *float64:
		x := 0.0
		if !off {
			if x, err = strconv.ParseFloat(value, 64); err != nil {
				return fmt.Errorf("fault %s: %q is neither a number nor off", n.Name, value)
			}
		}
		*v = x
	case *time.Duration:
		x := time.Duration(0)
		if !off {
			if x, err = time.ParseDuration(value); err != nil {
				return fmt.Errorf("fault %s: %q is neither a time such as 200ms nor off", n.Name, value)
			}
		}
		*v = x
	}
	return nil
}
