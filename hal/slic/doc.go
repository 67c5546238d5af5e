// Package slic drives the Silvertel Ag1171(S), the line interface chip of an
// analogue phone port: four digital lines (SHK, RM, F/R, PD) become a
// [hal.Phone]. The chip's sound goes through a codec and is no business of the
// driver.
//
//	SHK  in   high: loop current flows, the phone is off-hook
//	RM   out  high: ring mode; then every toggle of F/R reverses the ring voltage
//	F/R  out  low (with RM low): battery reversed
//	PD   out  low: power down; released: run. Never driven high.
//
// Two pure machines take the time as an argument: hook reads SHK (bounce, dial
// pulses, flash, on-hook) and ringer makes RM and F/R (cadence, 20…25 Hz, at
// most one third of the time, orderly end). One goroutine per port, [Driver],
// feeds them edges and deadlines. Whatever happens, it leaves RM low and F/R
// high.
//
//	RM   ____|‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾|______   off 20 ms after the last F/R edge
//	F/R  ‾‾‾‾‾‾‾|__|‾‾|__|‾‾|__|‾‾‾‾‾‾‾‾‾‾‾   absolute deadlines
//	SHK  __________________|‾‾|____|‾‾‾‾‾‾‾   picked up: high for 10 ms ends it
//
// The numbers are those of data sheet v1.6 and of the usual telephone rules for
// dial pulses (10 per second, 60 % break) and hook flash.
//
// It may import hal. The machines have table tests; the driver passes
// hal/haltest with the simulated phone of hal/sim in a testing/synctest bubble.
package slic
