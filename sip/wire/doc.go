// Package wire moves SIP messages: sockets, framing, the check that every
// message passes before anybody sees it, and the transactions of RFC 3261 §17
// (with RFC 6026). Package sip builds user agents on it.
//
// A [Layer] owns the sockets, connections, timers and transaction tables. A
// [Flow] is the path a message came by and its answer goes back on; a [Dest] is
// where a new request goes. A [ClientTx] reports responses to a function, a
// [ServerTx] takes them. Messages of one socket or connection are handled one
// after the other on its reader, so the order of the wire is the order of the
// handler; nothing here blocks the reader.
//
// Browsers come by [Layer.Upgrade] from a web server (RFC 7118). Their connections
// are as those of TCP are, save that nobody can be called back on one that is lost.
//
// Messages, headers, URIs and their parser are sipgo's. Its transport and
// transaction layers are not used, for reasons found by reading v1.7.2: it starts a goroutine for each message, which reorders them (a 200
// overtakes its 183, an INFO the one before); it keeps each finished
// transaction whole for 32 s and an entry for each UDP source ever seen; a
// repeated final response holds the transaction lock for 4 s; it answers
// strangers; and closing it does not wait for its goroutines.
//
// It imports sip/stun: telephones keep their way open by it, and a box behind a NAT
// asks for its address. It is tested over loopback with raw datagrams,
// with the torture messages of RFC 4475, and by fuzzing the framing, the check
// and everything up to the handler.
package wire
