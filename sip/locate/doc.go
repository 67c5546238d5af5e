// Package locate finds the servers of a SIP domain (RFC 3263).
//
// A [Query] is what a SIP URI says: host, port, transport. [Resolver.Hops] turns
// it into [Hop]s, best first: by NAPTR records the transport, by SRV records the
// hosts and ports, by A and AAAA records the addresses. Answers are remembered
// for as long as the name server allows, within bounds, and longer while no name
// server answers: a call must not fail because somebody else's server does.
//
// It owns name look-ups and nothing else: it sends no SIP and knows of no
// failures of the hops. It may import nothing of ours. It is tested with a name
// server on loopback, and by fuzzing what comes from one.
package locate
