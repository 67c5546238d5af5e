// Package script is the verbs and the runner that walks them.
//
// A [Document] is a list of [Verb]s, made by a dialect's decoder (api/laml,
// api/jambonz) and run on a call by a [Runner], straight-line, on its own
// goroutine with a context that ends with the call. A verb is one small file
// with one Run; it acts on the call only through the small interfaces in
// control.go. There is no XML, no JSON and no HTTP here, and no knowledge of
// which dialect wrote the document.
//
// It may import call, call/number and media. It is tested with a fake control
// inside testing/synctest bubbles.
package script
