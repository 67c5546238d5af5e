// Package corpus makes recordings of answered calls whose truth is known: people,
// machines, faxes and silence, as [media/amd] hears them. Nothing of it is in the
// gateway; the model's trainer, the printed figures and the tests use it.
//
// Concepts, in order: a [Voice] is one voice of a speech program of Debian main
// (espeak-ng, flite, festival) and belongs to one [Split], and so does its
// language and, with that, every text it says; a [Studio] makes them speak and
// keeps what was spoken; [Studio.Clip] makes the clip of a number: the same number
// gives the same samples on every machine with the same programs. A clip is built
// as a call is: what is heard in the room (voice, noise, music, tones), then the
// line (band, level, echo, another sampling clock), then the codec and its losses.
//
// It may import media, media/codec and media/wav, and starts the speech programs
// and sox. It is tested for being the same twice, for levels and for its share of
// every class.
package corpus
