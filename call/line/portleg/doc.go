// Package portleg is what the lines of the box's own ports share: analogue phones,
// exchange lines and SIMs in modems (call/line/fxs, fxo, gsm), as sipleg is for the
// lines over SIP.
//
// A [Loop] is the way to a line's goroutine, which alone changes what the line does. A
// [Leg] is one call of it: its events, its hang-up, and its [Sound] between the
// device's clock and the media clock. A [Device] watches whether the device works, a
// [Hybrid] takes the echo out of an analogue one. What a line does with them is its own
// affair.
//
// It may import call, hal, media and media/echo. Loop, leg and sound are tested here
// without a device, the rest by the tests of the lines, with a simulated far side.
package portleg
