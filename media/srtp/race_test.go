//go:build race

package srtp

// racing says that the race detector is on, under which a sync.Pool forgets at
// random: allocations count only without it.
const racing = true
