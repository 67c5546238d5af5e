//go:build bench

package bench

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a program under measurement.
type process struct {
	cmd  *exec.Cmd
	log  string // file of its standard output and error
	done chan struct{}
}

// startProcess runs a program whose output goes to a file: a pipe would cost
// the measuring side time for every line.
func startProcess(dir, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...), log: filepath.Join(dir, filepath.Base(name)+".log"), done: make(chan struct{})}
	f, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p.cmd.Stdout, p.cmd.Stderr = f, f
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the program, which stop ends
		defer close(p.done)
		_ = p.cmd.Wait()
	}()
	return p, nil
}

// output is what the program has printed so far.
func (p *process) output() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// failure is an error with the end of what the program has printed.
func (p *process) failure(what string) error {
	out := p.output()
	if len(out) > 4000 {
		out = out[len(out)-4000:]
	}
	return fmt.Errorf("%s; it printed:\n%s", what, out)
}

// stop ends the program: politely, and after 5 s for good.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// cpu is the processor time used so far, of all threads, in steps of 10 ms.
func (p *process) cpu() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The name in brackets may hold spaces; utime and stime are fields 14 and 15.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 13 {
		return 0, errors.New("/proc/PID/stat is too short")
	}
	var ticks int64
	for _, s := range f[11:13] {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// rss is the resident memory in KiB.
func (p *process) rss() (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "Rss:" {
			return strconv.ParseFloat(f[1], 64)
		}
	}
	return 0, errors.New("no Rss in smaps_rollup")
}

// signal sends a signal to the program.
func (p *process) signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// wait waits for d; it is the only pause here.
func wait(d time.Duration) { <-time.After(d) }

// until asks f every 10 ms until it reports true.
func until(d time.Duration, what string, f func() bool) error {
	end := time.Now().Add(d)
	for !f() {
		if time.Now().After(end) {
			return fmt.Errorf("%s: not within %s", what, d)
		}
		wait(10 * time.Millisecond)
	}
	return nil
}

// freePort finds a port on 127.0.0.1 that is free for UDP and TCP, and so is the
// one above it.
func freePort() (int, error) {
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if isFree(port) && isFree(port+1) {
			return port, nil
		}
	}
	return 0, errors.New("no free port was found")
}

func isFree(port int) bool {
	a := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l, err := net.Listen("tcp", a)
	if err != nil {
		return false
	}
	defer l.Close()
	u, err := net.ListenPacket("udp", a)
	if err != nil {
		return false
	}
	u.Close()
	return true
}

func loopback(port int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port))
}
