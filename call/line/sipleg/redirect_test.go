package sipleg

import (
	"net/netip"
	"slices"
	"testing"

	"callbox/sip"
)

// TestOnward: what the routes are asked for, of the addresses that a far end sends
// a call on to.
func TestOnward(t *testing.T) {
	t.Parallel()
	d := sip.DialogInfo{
		Local: netip.MustParseAddr("192.0.2.1"), Remote: netip.MustParseAddrPort("192.0.2.7:5060"), RequestURI: "sip:+15550100@biloxi.example",
	}
	got := onward(d, []string{
		"sip:201@192.0.2.1:5060", "sip:carol@192.0.2.1", "sip:+15550123@192.0.2.7:5060;user=phone", "sip:+15550124@biloxi.example",
		"tel:+15550125;phone-context=x", "sip:alice@biloxi.example", "sip:bob@atlanta.example:5070;transport=tcp?Route=x", "sip:192.0.2.9", "sip:",
	})
	want := []string{
		"201", "carol", "+15550123", "+15550124", "+15550125", "sip:alice@biloxi.example", "sip:bob@atlanta.example:5070;transport=tcp",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
