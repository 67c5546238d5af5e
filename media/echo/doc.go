// Package echo takes the echo of the far party's voice out of what an analogue
// line sends back: a line echo canceller in the sense of ITU-T G.168.
//
// Concepts, in order: what the line is told is kept in a [Reference], numbered
// sample by sample, so that it can be read again as old as the driver says that
// the echo is (the bulk delay). A [Canceller] has an adaptive filter for the tail, the 16 to 64 ms over which
// the hybrid answers. Two filters run: the background one learns all the time,
// the foreground one makes what is heard and takes over the other's taps only
// when they have proved better. Two people who talk at once can therefore spoil
// the one that nobody hears, not the other.
//
//	far  ──┬────────────────────────────> line
//	       │ Reference, bulk delay          │ hybrid
//	       ├──> background filter ─┐        │
//	       └──> foreground filter ─┴─> (−) <┘──> suppressor ──> near
//
// What the foreground filter leaves is removed by a suppressor with comfort
// noise while only the far party speaks. A 2,100 Hz tone, which modems and fax
// machines send (ITU-T G.164, G.165 §4, G.168 §7), switches the suppressor off,
// with phase reversals the whole canceller.
//
// It may import media only. The tests measure convergence, echo return loss
// enhancement, double talk, changes of the path, tones and noise in dB and ms,
// with synthetic hybrids and synthetic speech; frames are tested with
// testing.AllocsPerRun, which must be 0.
package echo
