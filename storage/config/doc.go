// Package config is the configuration of the box: what is set up, and what is
// wrong with it.
//
// Concepts, in order: a [Snapshot] is everything that is set up at one moment;
// [Snapshot.WithDefaults] fills in what was left empty; [Snapshot.Validate]
// gives an [InvalidError] that names every field that cannot be and the remedy.
// A [Secret] is a text that no log and no print shows. A [Duration] reads and
// writes as people do: 30s, 1h30m, 90d.
//
// The types are values and the functions pure: the package stores nothing
// (storage does that) and starts nothing. Everything that can be set here has an
// effect in the running box. It may import call. It is tested by tables of good
// and bad settings, and by a fuzz target for Duration.
package config
