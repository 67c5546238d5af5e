// Package mailbox is the address at which programs say, and are told, how many
// voice messages wait for a user of the box: a voicemail of their own, or a shop's
// order system, lights the lamp of the user's telephone by it.
//
// GET and PUT of /api/users/NAME/messages, in JSON, with an id of the account and
// its token as for the call APIs. What lights the lamp is elsewhere (RFC 3842).
// It may import api. It is tested by requests to its handler; cmd/callbox tests
// the description that it gives of itself.
package mailbox
