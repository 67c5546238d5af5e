// Package js holds JSON values in the order in which they were written, and
// writes them exactly as JavaScript's JSON.stringify does.
//
// Concepts: [Parse] reads a text into a [Value]; [Object] builds one; [Append]
// writes it. Exactness matters because the receivers of the JSON family check a
// signature by parsing the body and writing it again (call-api.md §3.7): a body
// that JavaScript would write differently looks forged to them.
//
// It imports nothing of ours. It is tested by tables of texts and what node
// makes of them, and by fuzzing: what was written must read back to the same.
package js
