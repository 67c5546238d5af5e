//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// insideVariable tells a test that it runs in a network of its own.
const insideVariable = "CALLBOX_E2E_NETWORK"

// ownNetwork runs a test that needs a network of its own a second time, as the
// only one of a process whose network namespace it may shape: true there, false
// in the first run, which has its result. The process sees the machine's files,
// but an empty /run, so that names of namespaces stay its own; everything goes
// with it, however it ends. Root may make namespaces, and so may others where
// the kernel lets them be root of a user namespace.
func ownNetwork(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideVariable) == t.Name() {
		return true
	}
	why := noNetworks()
	if why != "" && !strings.Contains(why, "not permitted") && !strings.Contains(why, "denied") {
		t.Fatal(why)
	}
	if why != "" {
		t.Skipf("this machine lets us make no network namespaces (%s); run this test as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)", why)
	}
	cmd := unshared(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=10m")
	cmd.Env = append(os.Environ(), insideVariable+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	t.Logf("in a network of its own:\n%s", out)
	if err != nil {
		t.Fatal(err)
	}
	return false
}

// unshared is a program in new namespaces.
func unshared(args ...string) *exec.Cmd {
	flags := []string{"--net", "--mount"}
	if os.Geteuid() != 0 {
		flags = append(flags, "--user", "--map-root-user")
	}
	const prepare = `mount -t tmpfs tmpfs /run && ip link set lo up && exec "$@"`
	return exec.Command("unshare", append(append(flags, "sh", "-c", prepare, "sh"), args...)...)
}

// noNetworks says why namespaces cannot be had; empty: they can.
func noNetworks() string {
	out, err := unshared("sh", "-c", "ip netns add probe && ip link add name near0 type veth peer name far0 netns probe && ip link add name net0 type bridge && iptables -t nat -L -n").CombinedOutput()
	if err != nil {
		return strings.TrimSpace(fmt.Sprintf("%v: %s", err, out))
	}
	return ""
}

// place is where a peer runs: a host made by newNetwork, with a namespace of its
// own. The zero value is our own namespace, at 127.0.0.1.
type place struct{ netns, addr string }

func (p place) host() string {
	if p.addr == "" {
		return "127.0.0.1"
	}
	return p.addr
}

func (p place) command(name string, args ...string) *exec.Cmd {
	if p.netns == "" {
		return exec.Command(name, args...)
	}
	return exec.Command("ip", append([]string{"netns", "exec", p.netns, name}, args...)...)
}

// listens waits until somebody there takes TCP connections at port.
func (p place) listens(t *testing.T, port int) {
	t.Helper()
	want := fmt.Sprintf(":%04X 00000000:0000 0A ", port) // proc(5): LISTEN is state 0A
	poll(t, 20*time.Second, fmt.Sprintf("port %d listens", port), func() bool {
		out, err := p.command("cat", "/proc/net/tcp").Output()
		return err == nil && strings.Contains(string(out), want)
	})
}

// newNetwork makes a network that we have these addresses in, each with its
// prefix, and puts hosts into it. Interface and network have the same name.
func newNetwork(t *testing.T, name string, ours []string, hosts ...place) {
	t.Helper()
	command(t, "ip", "link", "add", "name", name, "type", "bridge")
	for _, a := range ours {
		command(t, "ip", "addr", "add", a, "dev", name)
	}
	command(t, "ip", "link", "set", "dev", name, "up")
	for _, h := range hosts {
		command(t, "ip", "netns", "add", h.netns)
		command(t, "ip", "-n", h.netns, "link", "set", "dev", "lo", "up")
		command(t, "ip", "link", "add", "name", h.netns, "type", "veth", "peer", "name", "eth0", "netns", h.netns)
		command(t, "ip", "link", "set", "dev", h.netns, "master", name, "up")
		command(t, "ip", "-n", h.netns, "addr", "add", h.addr+"/24", "dev", "eth0")
		command(t, "ip", "-n", h.netns, "link", "set", "dev", "eth0", "up")
	}
}

// resolvConf makes everybody in our mount namespace ask the name server at
// 127.0.0.1.
func resolvConf(t *testing.T) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(file, []byte("nameserver 127.0.0.1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	command(t, "mount", "--bind", file, "/etc/resolv.conf")
}
