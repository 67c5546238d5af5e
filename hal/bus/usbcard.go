package bus

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// USBCard is the name (as in /proc/asound/cards) of the sound card of the USB device
// at a place ("1-1.4") on the machine whose file tree is at root. The error wraps
// ErrNoCard when the device has none.
//
//	/sys/class/sound/card1/device -> …/usb1/1-1/1-1.4/1-1.4:1.5
//	/sys/class/sound/card1/id        EC25
func USBCard(root, place string) (string, error) {
	dir := filepath.Join(root, "sys/class/sound")
	list, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("look for the sound card at %s: %w", place, err)
	}
	for _, e := range list {
		if !strings.HasPrefix(e.Name(), "card") {
			continue
		}
		card := filepath.Join(dir, e.Name())
		at, err := filepath.EvalSymlinks(filepath.Join(card, "device"))
		if err != nil || filepath.Base(filepath.Dir(at)) != place {
			continue
		}
		if id := attribute(card, "id"); id != "" {
			return id, nil
		}
	}
	return "", fmt.Errorf("the USB device at %s: %w", place, ErrNoCard)
}
