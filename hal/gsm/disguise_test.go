package gsm_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/hal/gsm"
	"callbox/hal/sim/cell"
)

// disguised is a bus with a stick that shows itself as a CD-ROM until it is switched.
type disguised struct {
	*cell.Rack
	until time.Time
}

func (d disguised) DisksOf(vendor uint16) (map[string]uint16, error) {
	if vendor != 0x12d1 || !time.Now().Before(d.until) {
		return nil, nil
	}
	return map[string]uint16{"1-1.3": 0x1446}, nil
}

// TestDisguised: a Huawei stick that is no modem yet is told of, as long as it is there.
func TestDisguised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := disguised{cell.NewRack(), time.Now().Add(7 * time.Second)}
		hub := gsm.NewHub(bus, nil)
		defer hub.Close() //nolint:errcheck // no port
		<-time.After(5 * time.Second)
		if why := hub.Unclaimed()["1-1.3"]; !strings.Contains(why, "12d1:1446") || !strings.Contains(why, "usb-modeswitch") {
			t.Errorf("unclaimed: %v", hub.Unclaimed())
		}
		<-time.After(5 * time.Second)
		if left := hub.Unclaimed(); len(left) != 0 {
			t.Errorf("unclaimed: %v", left)
		}
	})
}
