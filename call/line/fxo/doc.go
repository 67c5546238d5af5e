// Package fxo makes an exchange line a [call.Line]: calls go out over a port that is
// the phone on somebody else's exchange, and those that ring there come in.
//
// Concepts, in order: a [Line] owns a [hal.Exchange] and its [hal.PCM]. Its state
// (state.go) is touched by the goroutine of Serve only; legs ask it. While the line is
// off-hook two more goroutines move sound (sound.go): what the line says goes through
// the echo canceller (echo.go), the key detector and the supervision (supervise.go)
// into the leg's ring. An exchange says with tones alone what a SIP provider says with
// messages; the supervision makes answers and hang-ups of them: pure logic over frames
// and the port's reports, told by [Config] how far to trust which sign.
//
//	idle --Dial--> seizing --dialled--> calling --answered--> talking --either ends--> releasing --> idle
//	idle --ring--> arriving --who calls--> ringing --Answer--> seizing --> talking
//	                                       ringing --Hangup--> refused, or declining --> releasing
//
// It may import call, media and hal. It is tested with simulated exchanges behind the
// real driver of a voice modem in testing/synctest bubbles, by the suite of linetest
// too; the supervision by tables of sounds.
package fxo
