// Package engine owns the live calls.
//
// Each call is a value owned by one goroutine (live.go): it applies the state
// table of package call, tells the world what happened, and is the only one to
// touch its leg. Whoever else wants something of a call sends it a function and
// waits; the call's goroutine itself waits for nobody: lines, disks, sounds and
// hooks are asked on goroutines beside it. The script of a call runs on one of
// its own (control.go is what it may do); a Dial verb makes child calls, which
// are calls like any other, lets the caller hear how they stand (news.go,
// ringing.go), and bridges the sound of two of them (dial.go, bridge.go).
// Recordings are made by media/session and end as files with a record
// (recording.go, recontrol.go). The sound of a call can be carried to applications
// and back (streams.go, streamend.go). Each call ends with one final event, after which only its
// recordings are told of (tell.go).
//
// Conferences and queues are call/room's; the engine lends it its calls (rooms.go).
//
// The engine decides no policy and knows no technology, no dialect and no
// database: lines, routes, the journal, documents and prompts come in through
// the small interfaces of config.go.
//
// It may import call, call/{event,number,room,route,script} and media/*. It is
// tested with lines, a journal and a clock of the tests' own inside
// testing/synctest bubbles, races included.
package engine
