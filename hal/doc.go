// Package hal is the contract between telephone hardware and the box: [Phone]
// (an analogue phone port), PCM, pins and serial lines, and their health.
//
// Drivers (hal/slic …) are pure logic over bus interfaces; hal/bus moves bytes
// and levels; hal/sim fakes the far side so that the real drivers run in tests
// and demos; board says which chip sits on which bus. hal imports the standard
// library only; hal/haltest is the suite that drivers pass.
package hal
