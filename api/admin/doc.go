// Package admin is how the box itself is run: calls by hand, lines, routes,
// configuration and the live event stream, as JSON over HTTP.
//
// It is served on a unix socket in the data folder, where being allowed to open
// the socket (root, or the gateway's own user) is the authentication; it is
// never served on the network by this package. [Handler] is the server side,
// [Client] the one that the command line uses.
//
// It may import call, call/event, call/script, call/trace and api. It is tested with a real
// unix socket and a fake box.
package admin
