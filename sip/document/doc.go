// Package document writes what subscribers to event packages are told: the
// dialogs of a line (RFC 4235, [DialogInfo]) and the messages that wait for a user
// (RFC 3842, [MessageSummary]).
//
// It is pure: no clock, no network, no lock. It imports nothing of ours, and is
// tested by documents written by hand after the RFCs and by reading back what it
// writes.
package document
