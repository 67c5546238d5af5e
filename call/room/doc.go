// Package room owns conferences, in which calls meet, and queues, in which they
// wait for each other.
//
// Concepts, in order: a [House] has all of them, by account and name. A [Party]
// is a call that enters; its stay is straight-line code on the goroutine of its
// script ([House.Confer], [House.Enqueue], [House.Dequeue]), which sees to what
// the call hears meanwhile: waiting documents, music, announcements. A conference
// is owned by a goroutine of its own, which everybody else sends functions to; it
// admits and dismisses parties, starts and ends, steers who hears whom in its
// mix.Room, and tells what happens to it, in order. It is made by the first party
// and ends with the last, or with a party with whom it is to end. A queue is a
// list under one lock; a call that waits and one that wants it are brought
// together by a deal, and are then connected until one of them goes.
//
// Bounds: parties of a conference, calls in a queue, queues, finished conferences
// that are remembered, announcements that wait.
//
// There is no dialect here and no leg: what a room needs of a call, of the disk
// and of the world comes in through [Config] and [Party]. It may import call,
// call/script, media and media/{mix,session}. It is tested in testing/synctest
// bubbles with parties of the tests' own, the sound checked by content.
package room
