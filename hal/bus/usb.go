package bus

import (
	"cmp"
	"errors"
	"fmt"
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

// USBDisks lists the USB devices of a maker all of whose interfaces are mass storage, on
// the machine whose file tree is at root: by place, the product.
//
//	/sys/bus/usb/devices/1-1.3             idVendor, idProduct
//	/sys/bus/usb/devices/1-1.3:1.0         bInterfaceClass: 08
func USBDisks(root string, vendor uint16) (map[string]uint16, error) {
	dir := filepath.Join(root, "sys/bus/usb/devices")
	list, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list USB devices: %w", err)
	}
	out := map[string]uint16{}
	for _, e := range list {
		at := filepath.Join(dir, e.Name())
		v, errV := strconv.ParseUint(attribute(at, "idVendor"), 16, 16)
		p, errP := strconv.ParseUint(attribute(at, "idProduct"), 16, 16)
		if errV == nil && errP == nil && uint16(v) == vendor {
			out[e.Name()] = uint16(p)
		}
	}
	disks := map[string]bool{}
	for _, e := range list {
		place, _, ok := strings.Cut(e.Name(), ":")
		if _, known := out[place]; !ok || !known {
			continue
		}
		before, seen := disks[place]
		disks[place] = (before || !seen) && attribute(filepath.Join(dir, e.Name()), "bInterfaceClass") == "08"
	}
	for place := range out {
		if !disks[place] {
			delete(out, place)
		}
	}
	return out, nil
}

// attribute is the text of a file of sysfs; empty when there is none.
func attribute(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
