// Package restcomm is the call API of 2012-04-24 ("CallAPI"): one [laml.Profile],
// made of the tables of parameters, the shapes of its resources and what its
// messages differ in.
//
// It is served below /call/2012-04-24 and /restcomm/2012-04-24. A path that ends
// in .json, or a client that accepts application/json, gets JSON, everything
// else XML. Errors of a request are plain sentences. Lists go by the number of
// the page and tell how many there are. The sound of a recording can be fetched
// by anybody who knows its id, as its clients expect. Messages are not signed.
//
// It may import call, api and api/laml. It is tested with golden pairs of
// requests, answers and messages.
package restcomm
