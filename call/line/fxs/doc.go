// Package fxs makes an analogue phone a [call.Line]: the phone on a port of the
// box is rung, answers, picks up and dials, speaks, presses keys, hangs up.
//
// Concepts, in order: a [Line] owns a [hal.Phone] and its [hal.PCM]. Its state
// (state.go) is touched by the goroutine of Serve only; legs ask it. While the
// phone is off-hook two more goroutines move sound (sound.go): the microphone
// through the echo canceller and the key detector into the leg's ring, and the leg's ring or a tone of
// the country to the earpiece. The media clock works at the other end of the
// rings. A leg (leg.go) is one call of the phone.
//
//	idle --Dial--> ringing --picked up--> talking --either ends--> idle, or ended
//	idle --picked up--> dialling --number--> calling --Answer--> talking
//	                       \--nothing dialled--> ended --60 s--> howling --> parked
//
// Besides: who calls is shown before the first ring or after it, by the country
// (show.go); codes are dialled instead of numbers (codes.go), whose [Settings] others
// keep; a flash holds a call, takes a waiting one, and makes a conference of three
// (second.go); the lamp of waiting messages (lamp.go) and rhythms of ringing (ring.go).
//
// It may import call, media and hal. It is tested with simulated phones on the
// real driver in testing/synctest bubbles, by the suite of linetest too.
package fxs
