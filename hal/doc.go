// Package hal is the contract between telephone hardware and the box.
//
// Concepts, in order: a [Pin] family ([Input], [Output], [Drain]) moves levels,
// [PCM] moves sound, [Serial] moves bytes; these are buses. A driver turns
// buses into a telephone thing: [Phone] is a port for an analogue phone. Each
// driver tells its [Health] in a sentence.
//
// Drivers (hal/slic …) are pure logic over bus interfaces; hal/bus implements
// the buses on Linux; hal/sim fakes the far side so that the real drivers run in
// tests and demos; board says which chip sits on which bus. hal imports the
// standard library only. hal/haltest is the suite that drivers pass; the pure
// parts of this package have table tests beside them.
package hal
