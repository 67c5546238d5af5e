// Package api is the HTTP side of the box: the server, authentication, and the
// contract between the one set of call handlers and the dialects.
//
// Concepts: a [Dialect] is one of the call APIs (api/twilio …), made of tables
// and pure encoding and decoding. Its REST handlers act on the box through the
// small interfaces of ports.go; api/hook sends what a dialect renders. Neither
// the engine nor the verbs ever learn which dialect asked.
//
// It may import call, call/event and call/script. It is tested with httptest
// and golden pairs in the dialects' testdata.
package api
