// Package socket holds the connections of applications that are asked over a
// websocket instead of by HTTP (call-api.md §6.3).
//
// Concepts: a [Hub] has one session for each call whose application has a ws://
// or wss:// address. A session sends messages (session:new, verb:hook,
// call:status …), gives the verbs in their acknowledgements to the script that
// waits for them, and hands over the commands that the application sends on its
// own: new verbs as orders of the script ([script.Orders]), everything else as
// changes of the call. A connection that is lost is made again with growing
// pauses; what was not acknowledged is sent once more. A session ends with its
// call.
//
// Every queue is bounded: a notification that finds the queue full is dropped
// and counted, a command is refused with jambonz:error.
//
// It may import call, call/script, api and api/jambonz/js; what messages say is
// the dialect's affair. It is tested against a websocket server of the tests'
// own, its messages by golden pairs and by fuzzing.
package socket
