// Package wal is a write-ahead log: a file of fixed size in which small entries
// become durable at the price of one block each.
//
// Concepts, in order: [Open] finds or makes the file, all of it written, so that
// an entry never has to make it grow and a full disk does not stop the log.
// [Log.Entries] gives what the file holds, oldest first. [Log.Append] adds an
// entry behind the last one and returns when it is on disk. When the file is full
// ([ErrFull]) whoever owns the log brings the entries to where they belong and
// calls [Log.Rewind]; the next ones replace them, block by block.
//
//	block 0                     block 1          block 2
//	┌────────┬─────────┬───┐    ┌────────┬──…    ┌────────┬─…
//	│ header │ payload │ 0 │    │ header │       │ header │
//	└────────┴─────────┴───┘    └────────┴──…    └────────┴─…
//
// Every entry begins at a block of its own, so that what is on disk is never
// written again, and has a checksum and a number that rises for ever, over all
// laps: what is left of an earlier lap, or was torn by a loss of power, ends the
// log there.
//
// It may import nothing of ours. It is tested by damage at every place of the
// file and by a fuzz target for what stands in it.
package wal
