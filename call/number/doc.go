// Package number reads what people and programs write as the far end of a
// call: telephone numbers in E.164 and local forms, SIP URIs and client names.
//
// Concepts, in order: [ParseAddress] tells the kinds of address apart without
// knowing the country; [Parse] reads a telephone number as dialled in a country
// and gives a [Number], with its E.164 form where it has one; [Number.Format]
// is for people and [Mask] for logs. What differs between countries (calling
// code, prefixes, lengths, emergency numbers) is data: see [Lookup].
//
// It is pure: no state, no clock, no I/O; everything may be used concurrently.
// It may import nothing of ours. It is tested by tables and fuzzed.
package number
