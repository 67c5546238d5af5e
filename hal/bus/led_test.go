package bus

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callbox/hal"
)

// lights makes a folder as Linux has it.
func lights(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLED(t *testing.T) {
	t.Parallel()
	dir := lights(t, map[string]string{
		"led0/brightness": "255\n", "led0/max_brightness": "255\n", "led0/trigger": "none rc-feedback [mmc0] timer\n",
		"PWR/brightness": "1\n",
	})
	is := func(file, want string) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || !strings.HasPrefix(string(b), want) {
			t.Errorf("%s: %q, want %q", file, b, want)
		}
	}
	l, err := OpenLED(dir, []string{"ACT", "led0"})
	if err != nil {
		t.Fatal(err)
	}
	if l.Name() != "led0" {
		t.Errorf("took %s", l.Name())
	}
	is("led0/trigger", "none")
	is("led0/brightness", "0")
	if err := l.Set(hal.High); err != nil {
		t.Error(err)
	}
	is("led0/brightness", "255")
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	is("led0/brightness", "0")
	is("led0/trigger", "mmc0")
	if l, err = OpenLED(dir, []string{"PWR"}); err != nil { // no trigger, no maximum
		t.Fatal(err)
	}
	if err := errors.Join(l.Set(hal.High), l.Close()); err != nil {
		t.Error(err)
	}
	if _, err := OpenLED(dir, []string{"x", "y"}); !errors.Is(err, ErrNoLED) || !strings.Contains(err.Error(), "x, y") {
		t.Errorf("none of them: %v", err)
	}
	if _, err := OpenLED(dir, []string{"../led0"}); err == nil || errors.Is(err, ErrNoLED) {
		t.Errorf("a way out: %v", err)
	}
}

// TestWatchdogIsNone: what is no watchdog is told apart from none.
func TestWatchdogIsNone(t *testing.T) {
	t.Parallel()
	dir := lights(t, map[string]string{"file": ""})
	if _, err := OpenWatchdog(filepath.Join(dir, "none"), time.Minute); !errors.Is(err, ErrNoWatchdog) {
		t.Errorf("none: %v", err)
	}
	if _, err := OpenWatchdog(filepath.Join(dir, "file"), time.Minute); err == nil || errors.Is(err, ErrNoWatchdog) {
		t.Errorf("a file: %v", err)
	}
}
