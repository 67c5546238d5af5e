// Package config is the configuration of the box: what is set up, and what is
// wrong with it.
//
// Concepts, in order: a [Snapshot] is everything that is set up at one moment;
// [Snapshot.WithDefaults] fills in what was left empty; [Snapshot.Validate]
// gives an [InvalidError] that names every field that cannot be and the remedy.
// A [Secret] is a text that no log and no print shows. A [Duration] reads and
// writes as people do: 30s, 1h30m, 90d. [Snapshot.Export] and [Import] are the one
// YAML text in which people keep, edit and move it, with secrets hidden or not;
// [Diff] tells what a change changes, without secrets.
//
// The types are values and the functions pure: the package stores nothing
// (storage does that) and starts nothing. Everything that can be set here has an
// effect in the running box. It may import call. It is tested by tables of good
// and bad settings, by exports that must come back as they were, and by fuzzing
// all that is read.
package config
