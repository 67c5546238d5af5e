// Package sim simulates the far side of the box's ports, so that the real
// drivers run without hardware: in tests, in the demo, and on a board that is
// none.
//
// [Phone] is an analogue phone on an Ag1171 line chip with its codec. The chip
// shows the four lines that hal/slic drives and reads, and a [hal.PCM]; the
// phone has a hook switch that bounces, a ringer that hears only a real ringing
// voltage (RM high and F/R toggling at 16…60 Hz), an earpiece that remembers
// what it heard, a display of who calls, a microphone, a keypad with a tone generator of its own and a
// rotary dial. The chip keeps a list of what a real one would not have liked
// ([Phone.Violations]). [Faults] break things.
//
// Every far side is a [Faulty], whose faults are switched by name, and mostly a
// [Person], who can be told what to do. A [Pty] is the far side of a serial
// device that the kernel believes in.
//
// Time is the time package's, so that a phone works in a testing/synctest
// bubble. The simulator may import hal, and to read what a display
// shows media/fsk and media/dtmf, which other programs prove. It is tested alone here, and with the
// driver in hal/slic.
package sim
