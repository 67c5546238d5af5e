// Package storage keeps what must survive: call records, recordings' records,
// the outbox of webhook messages, the configuration and small secrets, in one
// bbolt database.
//
// Concepts, in order: [Open] locks the data folder, creates or checks the
// database and starts the group-commit writer. A [Write] is a set of changes
// that become durable together: [Store.Commit] waits until they are on disk,
// [Store.Enqueue] does not, so that a call is never delayed; both keep the order
// in which they were called. Writes go into a write-ahead log first, those that
// come together as one entry, and are durable there at the price of one block;
// minutes later they go into the database in one transaction, which for each of
// them alone would put 40 kB and more on the SD card. Nobody sees the difference:
// reads know what was accepted, and Open takes over what the log still has. Reads
// are by id, or by page with cursors. A call.Notice in the outbox gets its rising
// id when it is accepted, is told to [Config].Committed once it is on disk, and
// stays until [Store.DoneNotice]. The box's whole configuration is one
// config.Snapshot.
//
// Promises: what Commit acknowledged is found after a loss of power, exactly
// once. When the disk is full or fails, accepted writes stay in memory and are
// tried again with back-off, and [Store.Health] says so. A database that is
// damaged is replaced by what can be read of it; the damaged file is kept.
//
// Bounds: the backlog of accepted writes (then [ErrBacklog]), the outbox (then
// the oldest notices are given up and counted), the work of one page (then the
// page is short and its cursor leads on).
//
// It may import call, storage/config and storage/wal, and is the only package
// that knows bbolt. It is tested by storage/storagetest (the suite for stores),
// by fault tests, by a test that kills a writing process at random moments, and
// by one that holds the bytes written for a call to their budget.
package storage
