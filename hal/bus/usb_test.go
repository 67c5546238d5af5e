package bus

import (
	"os"
	"path/filepath"
	"testing"

	"callbox/hal"
)

// tree makes files and links below a folder; a value that begins with "->" is a link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if len(text) > 2 && text[:2] == "->" {
			err = os.Symlink(text[2:], path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestUSBTTYs(t *testing.T) {
	const usb = "sys/devices/usb1/1-1/"
	root := tree(t, map[string]string{
		usb + "1-1.4/idVendor": "2c7c\n", usb + "1-1.4/idProduct": "0125\n",
		usb + "1-1.4/1-1.4:1.2/bInterfaceNumber": "02\n", usb + "1-1.4/1-1.4:1.2/ttyUSB2/port_number": "0\n",
		usb + "1-1.4/1-1.4:1.1/bInterfaceNumber": "01\n", usb + "1-1.4/1-1.4:1.1/ttyUSB10/port_number": "0\n",
		usb + "1-1.2/idVendor": "0572\n", usb + "1-1.2/idProduct": "1329\n", usb + "1-1.2/serial": "24680246\n",
		usb + "1-1.2/1-1.2:1.0/bInterfaceNumber": "00\n",
		"sys/devices/serial8250/ttyS0/x":         "",
		"sys/class/tty/ttyUSB2/device":           "->../../../devices/usb1/1-1/1-1.4/1-1.4:1.2/ttyUSB2",
		"sys/class/tty/ttyUSB10/device":          "->../../../devices/usb1/1-1/1-1.4/1-1.4:1.1/ttyUSB10",
		"sys/class/tty/ttyACM0/device":           "->../../../devices/usb1/1-1/1-1.2/1-1.2:1.0",
		"sys/class/tty/ttyUSB7/device":           "->../../../devices/usb1/1-1/gone",
		"sys/class/tty/ttyS0/device":             "->../../../devices/serial8250",
	})
	got, err := USBTTYs(root)
	if err != nil {
		t.Fatal(err)
	}
	want := []hal.TTY{
		{Path: root + "/dev/ttyACM0", Vendor: 0x0572, Product: 0x1329, Interface: 0, Serial: "24680246", Place: "1-1.2"},
		{Path: root + "/dev/ttyUSB10", Vendor: 0x2c7c, Product: 0x0125, Interface: 1, Place: "1-1.4"},
		{Path: root + "/dev/ttyUSB2", Vendor: 0x2c7c, Product: 0x0125, Interface: 2, Place: "1-1.4"},
	}
	if len(got) != len(want) {
		t.Fatalf("found %+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %+v, want %+v", got[i], want[i])
		}
	}
	if _, err := USBTTYs(filepath.Join(root, "nothing")); err == nil {
		t.Error("a machine without /sys has no error")
	}
}

// A stick that is a CD-ROM is told from a modem, which has a card reader besides, and
// from another maker's disk.
func TestUSBDisks(t *testing.T) {
	const dev = "sys/bus/usb/devices/"
	root := tree(t, map[string]string{
		dev + "1-1.3/idVendor": "12d1\n", dev + "1-1.3/idProduct": "1446\n", dev + "1-1.3:1.0/bInterfaceClass": "08\n", dev + "1-1.3:1.1/bInterfaceClass": "08\n",
		dev + "1-1.4/idVendor": "12d1\n", dev + "1-1.4/idProduct": "1001\n", dev + "1-1.4:1.0/bInterfaceClass": "ff\n", dev + "1-1.4:1.3/bInterfaceClass": "08\n",
		dev + "1-1.5/idVendor": "0781\n", dev + "1-1.5/idProduct": "5567\n", dev + "1-1.5:1.0/bInterfaceClass": "08\n",
		dev + "1-1.6/idVendor": "12d1\n", dev + "1-1.6/idProduct": "1f01\n", // it is being set up
	})
	got, err := USBDisks(root, 0x12d1)
	if err != nil || len(got) != 1 || got["1-1.3"] != 0x1446 {
		t.Errorf("found %v, %v", got, err)
	}
	if got, err := USBDisks(t.TempDir(), 0x12d1); err != nil || len(got) != 0 {
		t.Errorf("on a machine without USB %v, %v", got, err)
	}
}
