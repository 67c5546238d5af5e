// Package e2e tests the built binary with real peers: SIPp and baresip on the
// wire, twilio-go at the API, simulated phones on the sim board. It holds tests
// only, behind the build tag e2e; `make e2e` builds the binary, installs the
// Debian packages that are missing, and runs it. It may import everything, but
// uses of the product only what a user sees: the binary, its command line, its
// ports and its files. Every audio check compares content, not packet counts.
// Tests of hosts with several networks make these as namespaces of their own,
// for which they are root or may be root of a user namespace.
package e2e
