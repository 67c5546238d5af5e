// Package board knows which chip sits on which bus and pins, and opens them.
//
// Concepts, in order: a [Profile] is a board as data, read from a YAML file of
// profiles/ or of the user ([Parse]); [Detect] finds the one that the program runs
// on by the device tree; [Open] turns a profile into a [Board] with its [Port]s by
// the explicit driver table of drivers.go. A port whose hardware is missing or
// broken becomes a [Problem] with a sentence and never keeps the others, or the
// box, from starting. The board "sim" has simulated phones on real drivers.
//
// It may import hal and everything below it. It is tested with simulated pins
// and cards, made-up device trees, and on whatever machine runs the tests, which
// need not have any hardware.
package board
