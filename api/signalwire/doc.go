// Package signalwire is the LaML (cXML) compatibility API: one [laml.Profile],
// made of the tables of parameters, the JSON of its resources and what its
// messages differ in.
//
// It is served below /api/laml/2010-04-01, as the documentation says, and below
// /2010-04-01, where its own client sends requests; there it shares the path with
// api/twilio, and an account id that is a UUID tells it apart. Errors carry the
// flat keys and the list at once, because the documentation names one and the
// client reads the other. Calls on this box cost nothing unless its routes have
// prices.
//
// It may import call, api and api/laml. It is tested with golden pairs of
// requests and answers, messages and their signatures; cmd/callbox/e2e runs the
// vendor's own client against it.
package signalwire
