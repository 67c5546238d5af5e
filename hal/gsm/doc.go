// Package gsm drives GSM and LTE modems by AT commands: calls in and out, their
// sound, the SIM and its PIN, the network, and getting well again.
//
// Concepts, in order: a [Bus] lists serial devices and opens them. A [Hub] watches
// it, recognises modems by the rows of a table (rows.go) that says what differs
// between makes, asks each who it is, and gives it to the [Port] that it belongs
// to: by IMEI, by the SIM's ICCID, by place, by having been there before. A Port is
// a [hal.Modem] that outlives its modem; its [Sound] is a [hal.PCM]. While a modem
// is there a session (session.go) owns it: it sets it up, reads what it says by
// itself as signs (sign.go) that drive the state of the call (voice.go), polls
// where lines get lost, and climbs the ladder of recovery (ladder.go).
//
//	found → set up → SIM → network → ready ⇄ call
//	  ↑                                |
//	  └── AT · reopen · CFUN · restart ┘
//
// It may import hal and hal/at. Time is the time package's. It is tested with the
// simulated modems of hal/sim/cell in testing/synctest bubbles and, in the whole
// program, over pseudo terminals.
package gsm
