//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// installed installs the vendors' clients of a folder by its lock file, once.
var installed = map[string]func() error{
	"clients-jambonz": sync.OnceValue(func() error { return npmInstall("clients-jambonz") }),
	"clients-browser": sync.OnceValue(func() error { return npmInstall("clients-browser") }),
	"clients-laml":    sync.OnceValue(func() error { return npmInstall("clients-laml") }),
}

func npmInstall(dir string) error {
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci in %s: %w\n%s", dir, err, out)
	}
	return nil
}

// program is one of the programs in dir that use the vendors' clients.
func program(t *testing.T, ctx context.Context, dir string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	if err := installed[dir](); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// hookApp is the application of app.mjs: what its builders made, and what it was
// asked.
type hookApp struct {
	t      *testing.T
	url    string
	orders io.Writer // what the program is to do, a line each

	mu    sync.Mutex
	heard []heardHook
}

type heardHook struct {
	Path, Query string
	Body        map[string]any
	Errors      []string // of the vendor's verifiers
}

// runClient runs scenarios of rest.mjs and gives what it prints.
func runClient(t *testing.T, dir string, env []string, scenarios ...string) map[string]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := program(t, ctx, dir, env, append([]string{"rest.mjs"}, scenarios...)...)
	log := &lockedBuffer{}
	cmd.Stderr = log
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", scenarios, err, log)
	}
	var v map[string]any
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return v
}

// startHookApp runs the application.
func startHookApp(t *testing.T, dir string, env ...string) *hookApp {
	t.Helper()
	return startProgram(t, dir, "app.mjs", env...)
}

// startProgram runs a program that prints its address and then what it is told.
func startProgram(t *testing.T, dir, name string, env ...string) *hookApp {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := program(t, ctx, dir, env, name)
	log := &lockedBuffer{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() {
		t.Fatalf("the application does not start:\n%s", log)
	}
	a := &hookApp{t: t, url: lines.Text(), orders: in}
	done := make(chan struct{})
	go func() { // ended by the end of the program, waited for through done
		defer close(done)
		for lines.Scan() {
			var h heardHook
			if json.Unmarshal(lines.Bytes(), &h) == nil {
				a.mu.Lock()
				a.heard = append(a.heard, h)
				a.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("the application's log:\n%s", log)
		}
	})
	return a
}

// requests gives what was asked at path.
func (a *hookApp) requests(path string) []heardHook {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []heardHook
	for _, h := range a.heard {
		if h.Path == path {
			out = append(out, h)
		}
	}
	return out
}

// until waits for the n-th request to path.
func (a *hookApp) until(path string, n int) heardHook {
	a.t.Helper()
	poll(a.t, fmt.Sprintf("request %d to %s", n, path), func() bool { return len(a.requests(path)) >= n })
	return a.requests(path)[n-1]
}

// verified checks that the vendor's verifiers accepted every request.
func (a *hookApp) verified() {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range a.heard {
		if len(h.Errors) > 0 {
			a.t.Errorf("%s %v: refused by the verifiers: %v", h.Path, h.Body, h.Errors)
		}
	}
}

// statuses gives the statuses that the requests to /status told about a call.
func (a *hookApp) statuses(sid string) []string { return a.statusesAt("/status", sid) }

func (a *hookApp) statusesAt(path, sid string) []string {
	var out []string
	for _, h := range a.requests(path) {
		for id, status := range map[string]string{"call_sid": "call_status", "CallSid": "CallStatus"} {
			if h.Body[id] == sid {
				out = append(out, h.Body[status].(string))
			}
		}
	}
	return out
}

// TestLocks: the lock files pin the versions that the clients were read in.
func TestLocks(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]map[string]string{
		"clients-jambonz": {"@jambonz/node-client": "0.4.11", "@jambonz/sdk": "0.10.1"},
		"clients-laml":    {"twilio": "6.2.0", "@signalwire/compatibility-api": "3.2.0"},
	} {
		b, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
		if err != nil {
			t.Fatal(err)
		}
		var lock struct {
			Packages map[string]struct{ Version, Integrity string }
		}
		if err := json.Unmarshal(b, &lock); err != nil {
			t.Fatal(err)
		}
		for name, version := range want {
			if p := lock.Packages["node_modules/"+name]; p.Version != version || p.Integrity == "" {
				t.Errorf("%s: %+v, want %s", name, p, version)
			}
		}
	}
}
