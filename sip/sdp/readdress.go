package sdp

import (
	"bytes"
	"fmt"
	"net/netip"
)

// Readdress is a description of ours with another address of ours, where we are the
// same but are reached by another way: its o= and c= lines name addr.
func Readdress(body []byte, addr netip.Addr) []byte {
	at, family := host(addr)
	lines := bytes.Split(body, []byte("\r\n"))
	for i, l := range lines {
		switch {
		case bytes.HasPrefix(l, []byte("c=")):
			lines[i] = fmt.Appendf(nil, "c=IN %s %s", family, at)
		case bytes.HasPrefix(l, []byte("o=")):
			if f := bytes.Fields(l); len(f) == 6 {
				lines[i] = fmt.Appendf(nil, "%s %s %s IN %s %s", f[0], f[1], f[2], family, at)
			}
		}
	}
	return bytes.Join(lines, []byte("\r\n"))
}
