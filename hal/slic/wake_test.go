package slic_test

import (
	"testing"
	"testing/synctest"
	"time"

	"callbox/hal"
	"callbox/hal/sim"
	"callbox/hal/slic"
)

// TestRingWhileWaking: a call that comes while the chip wakes up (50 ms after PD
// was released, Ag1171 data sheet) rings as soon as it is awake, not before.
func TestRingWhileWaking(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		far := sim.NewPhone("fxs1")
		d, err := slic.Open(slic.Pins{SHK: far.SHK(), RM: far.RM(), FR: far.FR(), PD: far.PD()}, slic.Config{})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := d.Ring(hal.Cadence{Steps: []time.Duration{400 * time.Millisecond, 2 * time.Second}}); err != nil {
			t.Fatal(err)
		}
		if err := far.WaitRing(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if late := far.Bursts()[0].Start.Sub(began); late < 50*time.Millisecond || late > 150*time.Millisecond {
			t.Errorf("the ring began %s after the chip was told to wake", late)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		for _, v := range far.Violations() {
			t.Error("the chip complains:", v)
		}
		if err := far.Close(); err != nil {
			t.Error(err)
		}
	})
}
