package sdp

import (
	"net/netip"
	"strings"
	"testing"

	"callbox/media/codec"
)

func TestReaddress(t *testing.T) {
	t.Parallel()
	offer, err := newSession(7).Offer(Local{Addr: netip.MustParseAddrPort("192.0.2.1:5000"), Codecs: []codec.Codec{codec.PCMU}})
	if err != nil {
		t.Fatal(err)
	}
	for addr, lines := range map[string][]string{
		"198.51.100.7": {"o=- 7 1 IN IP4 198.51.100.7", "c=IN IP4 198.51.100.7"},
		"2001:db8::7":  {"o=- 7 1 IN IP6 2001:db8::7", "c=IN IP6 2001:db8::7"},
	} {
		got := string(Readdress(offer, netip.MustParseAddr(addr)))
		for _, l := range lines {
			if !strings.Contains(got, l+"\r\n") {
				t.Errorf("no %s in\n%s", l, got)
			}
		}
		if strings.Contains(got, "192.0.2.1") || strings.Count(got, "\r\n") != strings.Count(string(offer), "\r\n") || !strings.Contains(got, "m=audio 5000 RTP/AVP 0 101") {
			t.Errorf("%s becomes\n%s", offer, got)
		}
		if _, err := Parse([]byte(got)); err != nil {
			t.Error(err)
		}
	}
}
