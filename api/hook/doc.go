// Package hook makes the requests that the box owes to the applications: it
// asks for documents and sounds, and tells receivers how calls go on.
//
// Concepts, in order: a [Client] makes one request at a time for a running call
// ([Client.Fetch] a document, [Client.Open] a sound) with the limits of
// call-api.md §3.2 and §5.1, and with an address policy: the branch's own
// network is allowed, link-local metadata addresses and the box's own admin
// listeners are refused when the connection is made, whatever name led there.
// [Trust] says whose certificates are believed: CAs, and pinned certificates.
// A [Deliverer] sends status callbacks from a durable [Outbox]: at least once,
// in order per call and receiver, without ever delaying a call, and without one
// dead receiver delaying the others. What a request says is the dialect's
// decision; this package knows none of them.
//
// Timeouts and repeats are the same for all dialects, though the clouds differ
// (call-api.md §3.2–3.5: one cloud gives 10 s and tries no second time, another 2 s
// to connect and three attempts in all, a third never repeats): the limits are those
// of §3.2, the longest for an answer. A document is asked for once more when no
// connection is made. A status callback that does not get through is repeated for a
// day (see [Deliverer]), since on a branch's line a receiver is often away for
// minutes, and one that gets a callback twice can tell so by I-Twilio-Idempotency-Token.
// The fragment of a URL narrows or widens this, in every dialect alike.
//
// It may import call, call/script and api. It is tested against httptest
// servers, and the delivery rules in testing/synctest bubbles.
package hook
