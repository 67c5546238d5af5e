//go:build e2e

package e2e

import (
	"net/url"
	"strings"
	"testing"
)

// TestCallerShown has phones of several countries show who calls: an application's
// number in the form of the country, the phone next door with its name, and
// somebody who does not want to be known.
func TestCallerShown(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ country, scheme, number, name, private string }{
		{"US", "", "4155550100", "201 Lobby", "private"},
		{"US", "bellcore-single", "4155550100", "201", "private"},
		{"GB", "", "0014155550100", "201 Lobby", "private"},
		{"DE", "", "0014155550100", "201 Lobby", "private"},
		{"BR", "", "14155550100", "201", "private"},
	} {
		t.Run(tt.country+tt.scheme, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, "phones:\n- {port: fxs1, number: \"201\", caller_name: Lobby}\n- {port: fxs2, number: \"202\", caller_id: \""+tt.scheme+"\"}\n")
			if tt.country != "US" {
				g.change("country: US", "country: "+tt.country)
			}
			a, b := g.phone("fxs1"), g.phone("fxs2")
			ring := func(from string) {
				sid := g.create(url.Values{"To": {"client:fxs2"}, "From": {from}, "Twiml": {"<Response><Pause/></Response>"}, "Timeout": {"60"}})
				poll(t, "something is shown", func() bool { return b.state()["display"] != "" })
				g.post("/Calls/"+sid+".json", url.Values{"Status": {"canceled"}})
				b.line("on-hook")
			}
			shown := func(want string) {
				if got := strings.TrimSpace(b.state()["display"]); !strings.HasSuffix(strings.Split(got, " at ")[0], want) {
					t.Errorf("shows %q, want %q", got, want)
				}
				b.do("forget")
			}
			ring("+14155550100")
			shown(tt.number)
			ring("anonymous")
			shown(tt.private)
			a.do("call", "202")
			poll(t, "something is shown", func() bool { return b.state()["display"] != "" })
			shown(tt.name)
			b.do("pick-up")
			a.line("in a call")
			b.fine()
		})
	}
}
