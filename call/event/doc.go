// Package event is the bus on which calls tell what happens to them, typed,
// ordered and bounded.
//
// Concepts: a [Bus] takes call.Events from the goroutines that own calls and
// hands each to every [Subscription] whose [Filter] wants it. Publishing never
// blocks and starts no goroutine, so the order in which one goroutine publishes
// is the order in which every subscriber receives: the events of one call stay
// in order.
//
// Bounds: a subscription queues a number of events that its subscriber chose.
// When that is used up, further ordinary events are dropped and counted, and
// the same room again is kept for final events only (the end of a call, the end
// of a recording). A subscriber that lets even this reserve run full is cut off:
// its channel is closed and [Subscription.Err] says so, because a subscriber
// that silently misses the end of a call would believe in calls that are gone.
//
// What must survive a restart does not go over this bus but through the outbox
// of storage. It may import call. It is tested by unit tests, with goroutine
// leak checks and the race detector.
package event
