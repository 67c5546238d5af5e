package bus

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"callbox/hal"
)

// maxTTYs bounds the list of [USBTTYs].
const maxTTYs = 256

// USBTTYs lists the serial devices of USB devices on the machine whose file tree
// is at root ("/"), by place and interface. What vanishes meanwhile is left out.
//
//	/sys/class/tty/ttyUSB2/device -> …/usb1/1-1/1-1.4/1-1.4:1.2/ttyUSB2
//	                                             |       |
//	              idVendor, idProduct, serial ---+       +--- bInterfaceNumber
//
// For ttyACM the link ends at the interface itself.
func USBTTYs(root string) ([]hal.TTY, error) {
	dir := filepath.Join(root, "sys/class/tty")
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []hal.TTY
	for _, e := range list {
		name := e.Name()
		if !strings.HasPrefix(name, "ttyUSB") && !strings.HasPrefix(name, "ttyACM") {
			continue
		}
		if t, ok := usbTTY(filepath.Join(dir, name, "device")); ok && len(out) < maxTTYs {
			t.Path = filepath.Join(root, "dev", name)
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b hal.TTY) int {
		return cmp.Or(strings.Compare(a.Place, b.Place), cmp.Compare(a.Interface, b.Interface), strings.Compare(a.Path, b.Path))
	})
	return out, nil
}

// usbTTY climbs from a tty's device to its USB interface, then to its USB device.
func usbTTY(device string) (hal.TTY, bool) {
	t := hal.TTY{Interface: -1}
	at, err := filepath.EvalSymlinks(device)
	if err != nil {
		return t, false
	}
	for range 4 { // port, interface, device; hubs lie above
		if n, err := strconv.ParseUint(attribute(at, "bInterfaceNumber"), 16, 8); err == nil {
			t.Interface = int(n)
		}
		v, errV := strconv.ParseUint(attribute(at, "idVendor"), 16, 16)
		p, errP := strconv.ParseUint(attribute(at, "idProduct"), 16, 16)
		if errV == nil && errP == nil {
			t.Vendor, t.Product = uint16(v), uint16(p)
			t.Serial, t.Place = attribute(at, "serial"), filepath.Base(at)
			return t, true
		}
		at = filepath.Dir(at)
	}
	return t, false
}

// attribute is the text of a file of sysfs; empty when there is none.
func attribute(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
