// Package at speaks to a modem by AT commands (V.250, 3GPP TS 27.007 and
// 27.005, V.253) over anything that reads, writes and closes.
//
// Concepts, in order: an [Engine] owns one [Port]. [Engine.Do] asks a [Command]
// and gives its [Response]; one command is in flight, the others wait in a
// bounded queue by [Priority]. What the modem says by itself is a [URC]: the
// engine takes those out of the stream before the command in flight sees its
// lines, and gives them in order on [Engine.URCs]. A command that fails says so
// as a typed error ([CMEError], [CMSError], [FinalError], [ErrTimeout]).
//
//	> AT+CREG?                 Do(Command{Text: "AT+CREG?", Answers: {"+CREG:"}})
//	< +CMTI: "ME",5            → URCs
//	< +CREG: 2,1,"1A2B","0C"   → Response.Lines
//	< OK                       → Do returns
//
// What comes late, after a command's time has run out, is thrown away: the
// engine asks AT until the modem answers and is quiet again. A modem that stays
// silent ends the engine ([Engine.Done], [ErrSilent]); its owner opens the port
// again.
//
// [Engine.Stream] turns a voice modem's port into sound in both directions, with
// events shielded by DLE (V.253 §8, §11); it ends back in commands.
//
// A [Recorder] writes what passes as text, secrets masked; a [Player] is a port
// that plays such a text back.
//
// The engine has two goroutines: one reads, one decides. Time is the time
// package's, so that it works in a testing/synctest bubble. The package imports
// nothing of ours. It is tested with a simulated modem on a pipe, by played-back
// dialogues, and fuzzed with whatever bytes come.
package at
