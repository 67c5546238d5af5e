//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
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
	if out, err := unshared("true").CombinedOutput(); err != nil {
		t.Skipf("no network namespaces can be made here (%v: %s): run the tests as root, or where the kernel lets everybody be root of a user namespace",
			err, strings.TrimSpace(string(out)))
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
	const prepare = `PATH=$PATH:/usr/sbin:/sbin; mount -t tmpfs tmpfs /run && ip link set lo up && exec "$@"`
	return exec.Command("unshare", append(append(flags, "sh", "-c", prepare, "sh"), args...)...)
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

// dial connects from there, which need not have a way to us nor we one back.
func (p place) dial(network, addr string) (net.Conn, error) {
	var c net.Conn
	err := p.inside(func() (err error) {
		c, err = net.Dial(network, addr)
		return err
	})
	return c, err
}

// inside runs f in the namespace.
func (p place) inside(f func() error) error {
	if p.netns == "" {
		return f()
	}
	// A thread changes its namespace and comes back. It must not end instead: the
	// children that it has started would be killed (Pdeathsig).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ours, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer ours.Close()
	theirs, err := os.Open("/run/netns/" + p.netns)
	if err != nil {
		return err
	}
	defer theirs.Close()
	if err := unix.Setns(int(theirs.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	err = f()
	if back := unix.Setns(int(ours.Fd()), unix.CLONE_NEWNET); back != nil {
		panic(back) // this thread is of no use to anybody any more
	}
	return err
}

// listens waits until somebody there takes TCP connections at port.
func (p place) listens(t *testing.T, port int) {
	t.Helper()
	want := fmt.Sprintf(":%04X 00000000:0000 0A ", port) // proc(5): LISTEN is state 0A
	poll(t, fmt.Sprintf("port %d listens", port), func() bool {
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
		command(t, "ip", atOnce("addr", "add", a, "dev", name)...)
	}
	command(t, "ip", "link", "set", "dev", name, "up")
	for _, h := range hosts {
		command(t, "ip", "netns", "add", h.netns)
		command(t, "ip", "-n", h.netns, "link", "set", "dev", "lo", "up")
		command(t, "ip", "link", "add", "name", h.netns, "type", "veth", "peer", "name", "eth0", "netns", h.netns)
		command(t, "ip", "link", "set", "dev", h.netns, "master", name, "up")
		bits := "/24"
		if strings.Contains(h.addr, ":") {
			bits = "/64"
		}
		command(t, "ip", atOnce("-n", h.netns, "addr", "add", h.addr+bits, "dev", "eth0")...)
		command(t, "ip", "-n", h.netns, "link", "set", "dev", "eth0", "up")
	}
}

// atOnce makes a command that adds an address not wait for the moment in which
// others might object to one of IPv6 (RFC 4862 §5.4).
func atOnce(args ...string) []string {
	if strings.Contains(strings.Join(args, " "), ":") {
		args = append(args, "nodad")
	}
	return args
}

// newRouter makes a host of one of our networks a router with a NAT: beyond is
// what it hides, each host with a network and default route of its own, of which
// the router has the address that ends in 1.
func newRouter(t *testing.T, router place, beyond ...place) {
	t.Helper()
	in := func(netns string, args ...string) {
		t.Helper()
		command(t, "ip", append([]string{"netns", "exec", netns}, args...)...)
	}
	in(router.netns, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
	// Ports are changed as well, as by a NAT with many users.
	in(router.netns, "iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "eth0", "-j", "MASQUERADE", "--random")
	for _, h := range beyond {
		gateway := h.addr[:strings.LastIndexByte(h.addr, '.')] + ".1"
		command(t, "ip", "netns", "add", h.netns)
		in(h.netns, "ip", "link", "set", "dev", "lo", "up")
		in(router.netns, "ip", "link", "add", "name", h.netns, "type", "veth", "peer", "name", "eth0", "netns", h.netns)
		in(router.netns, "ip", "addr", "add", gateway+"/24", "dev", h.netns)
		in(router.netns, "ip", "link", "set", "dev", h.netns, "up")
		in(h.netns, "ip", "addr", "add", h.addr+"/24", "dev", "eth0")
		in(h.netns, "ip", "link", "set", "dev", "eth0", "up")
		in(h.netns, "ip", "route", "add", "default", "via", gateway)
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
