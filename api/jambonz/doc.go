// Package jambonz is the call API that takes and gives JSON: /v1/Accounts/…,
// bearer keys, UUIDs, and applications that answer arrays of verbs.
//
// Concepts, in order: New makes a [Dialect]: the [api.Dialect] that asks hooks
// for documents, decodes them with api/jambonz/verbs, renders status callbacks
// and signs requests with the account's webhook secret. Dialect.Mount puts its
// REST face before the shared handlers of package api. Requests are read by the
// tables of api/jambonz/shape; errors.go is the only place that knows which HTTP
// status a condition has.
//
// The accounts of this dialect are known by their project ids. What the box
// cannot do (yet) is refused with 422 and a sentence; what has no meaning here is
// told in the header Callbox-Warning.
//
// It may import call, call/event, call/script, api and its own parts. It is tested
// with golden pairs, tables, and the vendor's signature vector.
package jambonz
