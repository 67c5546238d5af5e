// Package dtmf makes and hears key presses as tones in the sound (ITU-T Q.23):
// two sines at once, one of four low and one of four high frequencies.
//
//	          1,209  1,336  1,477  1,633 Hz
//	697 Hz      1      2      3      A
//	770 Hz      4      5      6      B
//	852 Hz      7      8      9      C
//	941 Hz      *      0      #      D
//
// It owns the key table ([Valid], [Frequencies]), [Clip], which plays a string
// of digits and pauses at exact levels and times, and [Detector], which finds
// presses in a stream of frames in the manner of ITU-T Q.24 and reports each
// once. Key presses outside the sound (RFC 4733) are media/rtp's.
//
// It may import media only. The generator is measured back; the detector is
// tested for every key over level, twist, frequency offset, duration, pause,
// interruption, noise and G.711, and for talk-off with spoken text, and with
// testing.AllocsPerRun, which must be 0 per frame.
package dtmf
