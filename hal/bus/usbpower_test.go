package bus

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// TestCycleUSB switches the sockets of a machine of files.
func TestCycleUSB(t *testing.T) {
	const dev = "sys/bus/usb/devices/"
	root := tree(t, map[string]string{
		dev + "1-1.4/idVendor": "2c7c\n", dev + "1-1.4/authorized": "1\n",
		dev + "1-1:1.0/1-1-port4/disable":            "0\n",
		dev + "1-1:1.0/1-1-port4/peer":               "->../../2-1:1.0/2-1-port4",
		dev + "2-1:1.0/2-1-port4/disable":            "0\n",
		dev + "usb3/3-0:1.0/usb3-port2/disable":      "0\n",
		dev + "1-1.2/idVendor":                       "0781\n",
		dev + "1-1:1.0/1-1-port2/disable":            "0\n",
		dev + "4-1/idVendor":                         "12d1\n",
		dev + "4-1/authorized":                       "1\n",
		dev + "1-1.3/idVendor":                       "2c7c\n",
		dev + "1-1:1.0/1-1-port3/over_current_count": "0\n",
	})
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(root, dev, name))
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	for _, c := range []struct {
		what, place string
		vendor      uint16
		files       []string // without power meanwhile
		off, on     string
	}{
		{"both halves of a socket on a hub", "1-1.4", 0x2c7c, []string{"1-1:1.0/1-1-port4/disable", "2-1:1.0/2-1-port4/disable"}, "1", "0"},
		{"a socket of the machine, nothing in it", "3-2", 0x2c7c, []string{"usb3/3-0:1.0/usb3-port2/disable"}, "1", "0"},
		{"an old kernel", "4-1", 0x12d1, []string{"4-1/authorized"}, "0", "1"},
	} {
		synctest.Test(t, func(t *testing.T) {
			done := make(chan error, 1)
			go func() { done <- CycleUSB(context.Background(), root, c.place, c.vendor, 5*time.Second) }()
			<-time.After(4 * time.Second)
			for _, f := range c.files {
				if got := read(f); got != c.off {
					t.Errorf("%s: %s is %q", c.what, f, got)
				}
			}
			if err := <-done; err != nil {
				t.Errorf("%s: %v", c.what, err)
			}
			for _, f := range c.files {
				if got := read(f); got != c.on {
					t.Errorf("%s: afterwards %s is %q", c.what, f, got)
				}
			}
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // the box stops in the middle: the power comes back all the same
	if err := CycleUSB(ctx, root, "1-1.4", 0x2c7c, time.Hour); err != nil || read("1-1:1.0/1-1-port4/disable") != "0" {
		t.Errorf("stopped: %v", err)
	}
	if err := CycleUSB(ctx, root, "1-1.2", 0x2c7c, time.Hour); err == nil || read("1-1:1.0/1-1-port2/disable") != "0\n" {
		t.Errorf("a memory stick has lost its power: %v", err)
	}
	for _, place := range []string{"1-1.3", "7-7", "nowhere"} {
		if err := CycleUSB(ctx, root, place, 0x2c7c, time.Hour); !errors.Is(err, ErrNoPower) {
			t.Errorf("%s: %v", place, err)
		}
	}
}
