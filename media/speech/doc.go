// Package speech turns text into sound with espeak-ng, run as a child process.
//
// It owns [Speaker], the map from the voice names and languages of the call APIs
// to espeak-ng's voices ([Resolve]), the cleaning of text and SSML before the
// child sees it, and a bounded cache of what was spoken. The text reaches the
// child on its standard input only, never as an argument, and there is no shell.
// SSML is parsed and written anew from a short list of allowed elements: left
// alone, espeak-ng opens the file that an <audio> element names and even hands
// its name to a command line; and it takes [[…]] and control characters in plain
// text as commands.
//
// It may import media only. It is tested with the real espeak-ng, which must be
// installed, with scripts in its place that fail, hang or never stop, by golden
// pairs and a fuzz target for the markup, and for leaks of goroutines.
package speech
