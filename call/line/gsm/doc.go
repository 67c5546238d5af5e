// Package gsm makes a SIM in a modem a [call.Line]: it calls numbers, takes calls
// that arrive for the SIM, carries their sound and keys.
//
// Concepts, in order: a [Line] owns the events of a [hal.Modem] and its [hal.PCM].
// Its state is touched by the goroutine of Serve only; legs ask it. During a call
// two more goroutines (sound.go) move sound between the modem and the leg's rings,
// at whose other ends the media clock works. A leg (leg.go) is one call.
//
//	idle --Dial--> calling --alerting--> ringing --answered--> talking
//	idle --incoming--> offered --Answer--> talking --either ends--> idle
//
// It may import call, media and hal. It is tested with simulated modems on the real
// driver in testing/synctest bubbles, by the suite of linetest too.
package gsm
