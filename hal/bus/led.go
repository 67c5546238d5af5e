package bus

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"callbox/hal"
)

// ErrNoLED means that the kernel has no light of these names.
var ErrNoLED = errors.New("no such LED")

// LEDDir is where Linux shows its lights.
const LEDDir = "/sys/class/leds"

// LED is a light that the kernel has (Documentation/leds/leds-class.rst). It
// implements [hal.Output]: high is lit. Set may be called from one goroutine at a
// time.
type LED struct {
	name    string
	file    *os.File // brightness
	lit     []byte   // what full brightness is written as
	trigger string   // file of the trigger
	before  string   // the trigger that it had
}

var _ hal.Output = (*LED)(nil)

// OpenLED takes the first of names that is below dir, usually LEDDir, away from what
// the kernel shows with it, and puts it out. The error wraps ErrNoLED when there is
// none of them.
func OpenLED(dir string, names []string) (*LED, error) {
	for _, name := range names {
		l, err := openLED(dir, name)
		if !errors.Is(err, fs.ErrNotExist) {
			return l, err
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrNoLED, strings.Join(names, ", "))
}

func openLED(dir, name string) (*LED, error) {
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("%q is no name of an LED", name)
	}
	dir = filepath.Join(dir, name)
	l := &LED{name: name, lit: []byte("1"), trigger: filepath.Join(dir, "trigger")}
	if b, err := os.ReadFile(filepath.Join(dir, "max_brightness")); err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && n > 0 {
			l.lit = []byte(strconv.Itoa(n))
		}
	}
	l.before = presentTrigger(l.trigger)
	f, err := os.OpenFile(filepath.Join(dir, "brightness"), os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("LED %s: %w", name, err)
	}
	l.file = f
	if l.before != "" {
		if err := os.WriteFile(l.trigger, []byte("none"), 0); err != nil {
			f.Close()
			return nil, fmt.Errorf("LED %s: stop what the kernel shows: %w", name, err)
		}
	}
	if err := l.Set(hal.Low); err != nil {
		f.Close()
		return nil, err
	}
	return l, nil
}

// presentTrigger is the one in brackets: "none [mmc0] timer".
func presentTrigger(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b), "[")
	name, _, _ := strings.Cut(rest, "]")
	return name
}

// Name implements [hal.Pin].
func (l *LED) Name() string { return l.name }

// Set implements [hal.Output].
func (l *LED) Set(level hal.Level) error {
	b := []byte("0")
	if level {
		b = l.lit
	}
	if _, err := l.file.WriteAt(b, 0); err != nil {
		return fmt.Errorf("LED %s: %w", l.name, err)
	}
	return nil
}

// Close puts the light out and gives it back to what showed on it before.
func (l *LED) Close() error {
	errs := []error{l.Set(hal.Low), l.file.Close()}
	if l.before != "" {
		errs = append(errs, os.WriteFile(l.trigger, []byte(l.before), 0))
	}
	return errors.Join(errs...)
}
