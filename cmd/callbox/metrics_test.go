package main

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// TestMetrics: every line of the page is one of Prometheus' text format, each figure is
// described once, and those of the process are there.
func TestMetrics(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	w := httptest.NewRecorder()
	a.metrics().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	page := w.Body.String()
	sample := regexp.MustCompile(`^[a-z_][a-z0-9_]*(\{[a-zA-Z_]+="[^"]*"(, ?[a-zA-Z_]+="[^"]*")*\})? [0-9.e+-]+$`)
	described := map[string]int{}
	for line := range strings.Lines(page) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, _, _ = strings.Cut(name, " ")
			described[name]++
		} else if !strings.HasPrefix(line, "# HELP ") && !sample.MatchString(line) {
			t.Errorf("no line of the format: %q", line)
		}
	}
	for name, n := range described {
		if n != 1 {
			t.Errorf("%s is described %d times", name, n)
		}
	}
	for _, want := range []string{"\ncallbox_calls_refused_total 0\n", "# TYPE callbox_rtp_ports_busy gauge\n", "\nprocess_resident_memory_bytes ", "\ngo_goroutines ",
		"\ncallbox_board_clock_set 1\n", "\ncallbox_board_under_voltage 0\n", "\ncallbox_board_throttled 0\n", "\ncallbox_board_watchdog 0\n"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
