// Package wav reads and writes sound files.
//
// Reading: a [Reader] understands RIFF/WAVE with PCM of 8, 16, 24 and 32 bit,
// µ-law and A-law, also as WAVE_FORMAT_EXTENSIBLE, mixes up to 8 channels down
// to one and resamples any rate to 8 kHz; [NewULawReader] reads bare µ-law. A
// [Clip] plays a reader from any io.ReadCloser; a goroutine decodes up to two
// seconds ahead, so that the media tick never waits for a disk or a network.
// [Decode] takes a whole short sound into memory.
//
// Writing: a [Writer] makes 16-bit PCM at 8 kHz with one or two channels and
// puts its header right about once per second of sound, so that a power cut
// leaves a file that plays. [Trim] copies such a file without the silence at its
// ends. [Inspect] tells format and length.
//
// It may import media and media/codec only. Everything is bounded: header
// fields, chunks before the sound, memory. It is tested with files made by hand
// for every format, by sine waves through every rate, for leaks of goroutines,
// and by fuzzing the reader.
package wav
