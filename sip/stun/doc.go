// Package stun reads and writes the Binding messages of STUN (RFC 8489): how a box
// behind a NAT learns which address others see, and how a telephone keeps the way
// through its own NAT open (RFC 5626 §4.4.2, RFC 6223).
//
// It is pure, and knows neither passwords nor the attributes of ICE, which are in
// media/ice. It imports nothing of ours. It is tested by the vectors of RFC 5769, by
// reading back what it writes, and by fuzzing.
package stun
