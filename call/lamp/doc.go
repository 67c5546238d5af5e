// Package lamp knows which lines are busy, for those who watch them: the lamps
// beside the names on a telephone.
//
// A [Board] is shown the events of all calls and keeps, for each line, the [Talk]s
// that are going on, until they end. It tells which line has changed; who watches
// asks then. It also counts the [Use] of each line. It is bounded by the calls that
// the engine lets live, and by the lines.
//
// It may import call. It is tested by tables of events.
package lamp
