package bus

import (
	"errors"
	"testing"
)

func TestUSBCard(t *testing.T) {
	root := tree(t, map[string]string{
		"sys/devices/usb1/1-1/1-1.4/1-1.4:1.5/sound/card1/x": "", "sys/devices/usb1/1-1/1-1.2/1-1.2:1.0/sound/card2/x": "",
		"sys/class/sound/card1/device": "->../../../devices/usb1/1-1/1-1.4/1-1.4:1.5", "sys/class/sound/card1/id": "EC25\n",
		"sys/class/sound/card2/device": "->../../../devices/usb1/1-1/1-1.2/1-1.2:1.0", "sys/class/sound/card2/id": "Device\n",
		"sys/class/sound/timer": "",
	})
	if id, err := USBCard(root, "1-1.4"); id != "EC25" || err != nil {
		t.Errorf("USBCard = %q, %v", id, err)
	}
	for _, r := range []string{root, t.TempDir()} {
		if id, err := USBCard(r, "1-1.3"); !errors.Is(err, ErrNoCard) {
			t.Errorf("USBCard of a device without one = %q, %v", id, err)
		}
	}
}
