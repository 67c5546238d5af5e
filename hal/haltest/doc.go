// Package haltest is the suite that every [hal.Phone] passes, whatever the chip:
// hook, ring, ring trip in a burst and in a pause, flash, pulse dialling,
// errors, concurrent use.
//
// A driver's test gives it a way to open a port together with its far side: the
// simulated phone of hal/sim, or a bench with a real one. It may import hal.
// hal/slic is its first user.
package haltest
