// Package cell simulates cellular modems and the network behind them, so that the
// real driver runs without a radio.
//
// Concepts, in order: a [Modem] speaks the AT dialect of its [Family] (Quectel
// EC25, SIMCom SIM7600, Huawei E1550) byte by byte, with a SIM ([Card]) that wants
// its PIN, and a stream of sound that has a clock of its own. Its number can be
// called by a [Subscriber], who answers, listens, speaks and presses keys; other
// modems can be called by their numbers, through the [Network]. A [Rack] is a USB
// bus in memory, for tests in testing/synctest bubbles; a [Tree] is one of pseudo
// terminals and a folder that looks like /sys, for the whole program. [Faults]
// break things; all can be switched by name.
//
// Each modem has one goroutine, which owns its state; others post to it. It may
// import hal and hal/sim. It is tested by itself here, and with the driver in hal/gsm.
package cell
