// Package laml is the family of call APIs that take forms and speak XML: TwiML
// and its descendants.
//
// Concepts, in order: a [Profile] is one member of the family, made of tables
// and small pure functions (api/twilio is one). New makes a [Dialect] of it:
// the [api.Dialect] that asks hooks for documents (api/laml/twiml decodes them
// into the verbs of call/script), renders callbacks and signs requests. Dialect.Mount puts its
// REST face ([api.CallShape], [api.RecordingShape]) before the shared handlers
// of package api, and beside it what customers set up (api.Settings). A [Resource]
// names the keys of its JSON, whose fields are the family's unless the profile
// has its own. Parameters are read through tables of [Param]; every refusal
// is a [Problem], and errors.go is the only place that knows which code and
// which HTTP status a condition has.
//
// It may import call, call/event, call/script, api and api/laml/twiml. It is
// tested with golden pairs, tables, and fuzz targets for forms.
package laml
