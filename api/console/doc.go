// Package console is the page at which people see how the box is: its lines, and the
// account's calls with what became of them, how they sounded and what they warn of.
//
// It stands at /console/, for a browser, with an id of the account and its token as for
// the call APIs. It changes nothing. An account sees its own calls and all lines of the
// box. The page is plain files that are part of the program; it asks for state.json
// every two seconds while it is looked at.
// It may import api and call. It is tested by requests to its handler, and by a real
// browser with the gateway.
package console
