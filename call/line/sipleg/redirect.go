package sipleg

import (
	"net"
	"net/netip"
	"strings"

	"callbox/call/number"
	"callbox/sip"
)

// onward are the parties that a far end sends a call to, as the routes know them.
// An address at the box, or at the far end itself, is the number or name in it.
func onward(d sip.DialogInfo, places []string) []string {
	var out []string
	for _, uri := range places {
		user, host := UserOf(uri), withoutPort(HostOf(uri))
		switch {
		case strings.HasPrefix(strings.ToLower(uri), "tel:"):
			user, _, _ = strings.Cut(uri[len("tel:"):], ";")
			out = append(out, user)
		case user == "" || host == "":
		case sameHost(host, d.Local):
			out = append(out, user)
		case (sameHost(host, d.Remote.Addr()) || strings.EqualFold(host, withoutPort(HostOf(d.RequestURI)))) && isNumber(user):
			out = append(out, user)
		default:
			bare, _, _ := strings.Cut(uri, "?") // headers that a far end would put into our INVITE
			out = append(out, bare)
		}
	}
	return out
}

// withoutPort is the host of "host:port" or "[host]:port".
func withoutPort(s string) string {
	if host, _, err := net.SplitHostPort(s); err == nil {
		return host
	}
	return strings.Trim(s, "[]")
}

// sameHost reports whether host is this address.
func sameHost(host string, addr netip.Addr) bool {
	h, err := netip.ParseAddr(host)
	return err == nil && h.Unmap() == addr.Unmap()
}

// isNumber reports whether user can be dialled as a number.
func isNumber(user string) bool {
	a, err := number.ParseAddress(user)
	return err == nil && a.Kind == number.Phone
}
