package locate

import (
	"bytes"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// maxFile bounds what is read of a file of the system.
const maxFile = 1 << 20

// watched is a file that is read again whenever it has changed: DHCP clients
// write resolv.conf anew when the box moves to another network.
type watched[T any] struct {
	file  string
	parse func([]byte) T

	mu    sync.Mutex // guards the rest
	at    time.Time
	size  int64
	value T
}

func (w *watched[T]) get() T {
	w.mu.Lock()
	defer w.mu.Unlock()
	st, err := os.Stat(w.file)
	if err != nil || st.Size() > maxFile || (st.ModTime().Equal(w.at) && st.Size() == w.size) {
		return w.value // what was known before the file went away
	}
	if b, err := os.ReadFile(w.file); err == nil {
		w.at, w.size, w.value = st.ModTime(), st.Size(), w.parse(b)
	}
	return w.value
}

func parseConf(b []byte) *dns.ClientConfig {
	c, err := dns.ClientConfigFromReader(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	return c
}

// parseHosts reads the format of hosts(5): an address and its names on each line.
func parseHosts(b []byte) map[string][]netip.Addr {
	hosts := map[string][]netip.Addr{}
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		a, err := netip.ParseAddr(f[0])
		if err != nil {
			continue
		}
		for _, name := range f[1:] {
			name = strings.ToLower(name)
			hosts[name] = append(hosts[name], a.Unmap())
		}
	}
	for _, addrs := range hosts { // IPv4 first, as of name servers
		slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	}
	return hosts
}
