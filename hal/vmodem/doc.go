// Package vmodem drives a V.253 USB voice modem as a port for an exchange line: it
// rings, tells who calls, is answered, dials, speaks and hears.
//
// Concepts, in order: a [Driver] opens its serial port by [Config].Open, again and
// again as long as it has not been closed, so that a modem may be pulled out and put
// back. A session (session.go) brings the modem back to commands, whatever state the
// program before left it in, finds out what make it is (model.go) and waits. A line
// that is seized (call.go) is in class 8, off-hook, and at last in duplex: sound in
// µ-law both ways in the same serial line, with events shielded by DLE between the
// samples (ITU-T V.253 §8). The driver is the line's [hal.PCM] too (sound.go): what it
// may write follows from what it has read, so that the modem's clock sets the pace of
// both directions and its buffer neither grows nor runs dry.
//
//	gone <-> idle --Seize--> seizing --Connected--> connected --Release--> releasing --> idle
//
// It may import hal and hal/at, and media/codec for µ-law. It is tested with the
// simulated modem and exchange of hal/sim in testing/synctest bubbles, with dialogues
// that are played back, and with bytes that are split, merged and corrupted.
package vmodem
