//go:build e2e

package e2e

import (
	"context"
	"os/exec"
	"strings"
	"testing"
)

// TestDemo: the demo is what a newcomer sees first. It checks by itself what it
// shows, also the sound, and says so in its last line.
func TestDemo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, callbox(t), "demo")
	cmd.Env = append(cmd.Environ(), "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "everything happened as it should") {
		t.Errorf("%v\n%s", err, out)
	}
}
