package sip

import (
	"slices"
	"testing"
)

// TestPlacesOfRedirection: the contacts of a 3xx, best first; other refusals have none.
func TestPlacesOfRedirection(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status   int
		contacts string
		want     []string
	}{
		{302, "Contact: <sip:a@biloxi.example>;q=0.2, <sip:b@biloxi.example>;q=0.8\nContact: <sip:c@biloxi.example:5070;transport=tcp>", []string{"sip:c@biloxi.example:5070;transport=tcp", "sip:b@biloxi.example", "sip:a@biloxi.example"}},
		{301, "Contact: <sip:a@biloxi.example>;q=7\nContact: <sip:b@biloxi.example>;q=x\nContact: <tel:+15550100>", []string{"sip:a@biloxi.example", "sip:b@biloxi.example", "tel:+15550100"}},
		{302, "Contact: *", nil},
		{380, "X: y", nil},
		{486, "Contact: <sip:a@biloxi.example>", nil},
	} {
		s := startStack(t)
		r := newRaw(t, s)
		d, inv := r.ring()
		r.refuse(inv, tt.status, tt.contacts)
		if ev := expectEnd(t, d); ev.Status != tt.status || !slices.Equal(ev.Places, tt.want) {
			t.Errorf("%d %q: %v", tt.status, tt.contacts, ev.Places)
		}
	}
}
