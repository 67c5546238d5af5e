package slic_test

import (
	"testing"
	"testing/synctest"
	"time"

	"callbox/hal"
	"callbox/hal/haltest"
	"callbox/hal/sim"
	"callbox/hal/slic"
)

// open gives a driver with a simulated phone; at the end the chip must be safe,
// asleep and never have been mistreated.
func open(t *testing.T, c slic.Config, f sim.Faults) (*slic.Driver, *sim.Phone) {
	t.Helper()
	far := sim.NewPhone("fxs1")
	far.SetFaults(f)
	d, err := slic.Open(slic.Pins{SHK: far.SHK(), RM: far.RM(), FR: far.FR(), PD: far.PD()}, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if safe, asleep := far.Rest(); f.PinError == nil && (!safe || !asleep) {
			t.Errorf("after Close: safe %v, asleep %v", safe, asleep)
		}
		for _, v := range far.Violations() {
			t.Error("the chip complains:", v)
		}
		if _, ok := <-d.Events(); ok {
			t.Error("events open after Close")
		}
		_ = far.Close()
	})
	if !f.StuckOffHook {
		<-time.After(100 * time.Millisecond) // the chip wakes up
	}
	return d, far
}

func TestPhone(t *testing.T) {
	for name, f := range map[string]sim.Faults{
		"good line":   {},
		"bounce":      {Bounce: 6 * time.Millisecond},
		"ring spikes": {RingSpikes: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			haltest.TestPhone(t, synctest.Test, func(t *testing.T) (hal.Phone, haltest.FarEnd) {
				return open(t, slic.Config{}, f)
			})
		})
	}
}
