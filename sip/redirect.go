package sip

import (
	"slices"
	"strconv"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/wire"
)

// maxContacts bounds the places that one redirection names.
const maxContacts = 10

// placesOf are the addresses that a 3xx sends a call to, best first (RFC 3261
// §8.1.3.4): by their q, those alike in the order of the message.
func placesOf(res *gosip.Response) []string {
	type place struct {
		uri string
		q   float64
	}
	if res.StatusCode >= 400 {
		return nil
	}
	var places []place
	for _, c := range contactsOf(res) {
		if c.Address.Wildcard || len(places) == maxContacts {
			continue
		}
		p := place{uri: clean(c.Address.String()), q: 1}
		if v, ok := wire.Param(c.Params, "q"); ok {
			if q, err := strconv.ParseFloat(v, 64); err == nil && q >= 0 && q <= 1 {
				p.q = q
			}
		}
		places = append(places, p)
	}
	slices.SortStableFunc(places, func(a, b place) int {
		switch {
		case a.q > b.q:
			return -1
		case a.q < b.q:
			return 1
		}
		return 0
	})
	var out []string
	for _, p := range places {
		out = append(out, p.uri)
	}
	return out
}
