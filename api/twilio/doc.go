// Package twilio is the call API of 2010-04-01: one [laml.Profile], made of the
// tables of parameters and the JSON of its resources.
//
// It may import call, api and api/laml. It is tested with golden pairs of
// requests and answers, and with the real twilio-go client against an in-memory
// box.
//
// Parameters that no table knows are ignored, as the cloud does; because a
// misspelt StatusCallback would otherwise go unnoticed, they are logged and named
// in the answer's header "Callbox-Warning".
package twilio
