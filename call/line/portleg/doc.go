// Package portleg is what the lines of the box's own ports share: analogue phones,
// exchange lines and SIMs in modems (call/line/fxs, fxo, gsm), as sipleg is for the
// lines over SIP.
//
// A [Loop] is the way to a line's goroutine, which alone changes what the line does. A
// [Leg] is one call of it: its events, its hang-up, and its [Sound] between the
// device's clock and the media clock. What a line does with them is its own affair.
//
// It may import call and media. It is tested here by a loop without a device, and by
// linetest with each of the lines.
package portleg
