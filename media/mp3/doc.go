// Package mp3 turns sounds of MPEG layer III into WAV files as they are read, for
// media/wav to play: those of MPEG-1 (32, 44.1 and 48 kHz), and of MPEG-2 those of 16
// and 24 kHz, in which prompts for telephones are often made.
//
// A [Reader] finds out what a sound is from its first bytes ([Is]), decodes frame
// by frame and gives a WAV file of 16-bit stereo whose length is not told. It
// keeps one frame in memory.
//
// It imports nothing of ours. It is tested with a spoken sentence that a common
// encoder wrote, compared with the sentence itself, and by fuzzing.
package mp3
