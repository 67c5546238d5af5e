// Package ears tells by its content whether a sound has arrived: what the demo
// promises and what the tests of whole calls want to know. Counting packets does
// not tell it.
//
// It imports nothing of ours. It is tested with tones, sweeps and noise.
package ears
