// Package clock is the one clock of all media in the box: every 20 ms it calls
// all tickers, first each Collect, then each Deliver, on one goroutine.
//
// It owns [Clock], which is the [media.Scheduler] of the sessions. Ticks are
// counted by elapsed time, not by timer events, so that a late wake-up is made
// up by several ticks in a row; at most five, what is older is skipped and
// counted ([Stats]). A tick does not allocate: the list of tickers is copied
// when it changes, never while it is walked.
//
// It may import media only. It is tested in testing/synctest bubbles, for leaks
// of goroutines, and with testing.AllocsPerRun, which must be 0 per tick.
package clock
