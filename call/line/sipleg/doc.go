// Package sipleg is what the SIP lines have in common: a call.Leg over a SIP
// dialog and an RTP stream.
//
// Concepts, in order: a [Group] is the legs of one line, with its channel
// limit; its [Config] says what they share. [Group.Dial] makes an outgoing
// [Leg], which may ring several phones at once (branches, one dialog each) and
// keeps the first that answers; [Group.Incoming] makes one of an arriving
// dialog. The leg's one goroutine owns its state: it turns dialog events and
// digits into call.LegEvents and causes into SIP statuses and Reason headers,
// and answers re-INVITEs.
//
// A REFER of the far end becomes a call.Transfer, and a Replaces header the leg
// that it means (transfer.go): what comes of them is decided above.
//
// [Leg.Release] puts the far ends of two legs in touch with each other, so that
// their sound goes past the box, and [Leg.Reclaim] brings it back. Codecs that the
// box does not decode are offered and taken only where it need not ([Leg.Prefer],
// call.Dial.Pass); Reclaim ends that too. A far end whose sound is
// protected stays with the box: its keys (RFC 4568) would have to be shown to the
// other far end, over a leg of which it knows nothing, perhaps in the clear.
//
// A far end that asks to go on with a fax as data (ITU-T T.38) gets what the far end of
// the leg says that this one is tied to ([Leg.PassFax], fax.go); the two exchange it
// over ports of ours.
//
// Digits travel as telephone events (RFC 4733) when both sides have them, else
// as tones; arriving SIP INFO is understood too. LegEnded follows a Hangup at
// once; the dialog's own end, which the far end may delay, goes on behind it
// and is waited for by [Group.Close].
//
// A far end in a browser is a branch with a webrtc.Peer, which finds the way and
// the keys of the sound (browser.go). The offer says so: ours to contacts over
// websockets, and whatever arrives with DTLS over ICE. Its answer is told when
// there are keys, and a browser that is not heard any more ends the leg.
//
// It may import call, media/*, sip and sip/sdp. It is tested over loopback
// sockets against far ends on the same stacks (siptest), by the suite in
// linetest through the trunk and user lines, and by tables of causes.
package sipleg
