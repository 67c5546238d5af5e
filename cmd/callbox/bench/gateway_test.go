//go:build bench

package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Numbers that the gateway knows: each is one way to treat a call.
const (
	numberBridge = "+14155550100" // goes straight to the callee
	numberAnswer = "+14155550101" // runs an application that answers and waits
	numberRecord = "+14155550102" // goes to the callee and is recorded in stereo
)

// gatewayBinary is the program under test: the one that make has built, or the
// one that CALLBOX_BINARY names.
func gatewayBinary() (string, error) {
	b := os.Getenv("CALLBOX_BINARY")
	if b == "" {
		b = filepath.Join("..", "..", "..", "bin", "callbox")
	}
	abs, err := filepath.Abs(b)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(abs); err != nil {
		return "", fmt.Errorf("there is no binary to measure: %w; run make build first", err)
	}
	return abs, nil
}

// startGateway starts the gateway on a data folder.
func startGateway(binary, dir string) (*subject, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p, err := startProcess(filepath.Dir(dir), binary, "serve", "--data", dir, "--http", "127.0.0.1:0", "--https", "",
		"--sip", loopback(port).String(), "--board", "sim")
	if err != nil {
		return nil, err
	}
	err = until(20*time.Second, "the gateway is ready", func() bool {
		select {
		case <-p.done:
			return true
		default:
			return strings.Contains(p.output(), "  data ")
		}
	})
	select {
	case <-p.done:
		err = errors.New("the gateway has ended")
	default:
	}
	if err != nil {
		p.stop()
		return nil, p.failure(err.Error())
	}
	return &subject{process: p, sip: loopback(port)}, nil
}

// makeTemplate makes a data folder with everything configured, which each
// measurement copies, and gives its account and token. west and east are the
// ports of caller and callee.
func makeTemplate(binary, dir string, west, east int) (account, token string, err error) {
	g, err := startGateway(binary, dir)
	if err != nil {
		return "", "", err
	}
	defer g.stop()
	keys := regexp.MustCompile(`CALLBOX_ACCOUNT=(\w+)\s+export CALLBOX_TOKEN=(\w+)`).FindStringSubmatch(g.output())
	if keys == nil {
		return "", "", g.failure("the gateway does not show its new account")
	}
	account, token = keys[1], keys[2]
	old, err := command(binary, dir, "config", "export", "--secrets")
	if err != nil {
		return "", "", err
	}
	for from, to := range map[string]string{
		`calls: 64`: "calls: 2000", `call_count: \d+`: "call_count: 200000", `port_min: \d+`: "port_min: 10000", `port_max: \d+`: "port_max: 19999",
	} {
		re := regexp.MustCompile(from)
		if !re.MatchString(old) {
			return "", "", fmt.Errorf("no %s in the configuration:\n%s", from, old)
		}
		old = re.ReplaceAllString(old, to)
	}
	file := filepath.Join(filepath.Dir(dir), "config.yaml")
	if err := os.WriteFile(file, []byte(old+"\n"+configuration(account, west, east)), 0o600); err != nil {
		return "", "", err
	}
	_, err = command(binary, dir, "config", "import", file)
	return account, token, err
}

func configuration(account string, west, east int) string {
	app := func(n int) string { return "AP" + strings.Repeat("0", 31) + strconv.Itoa(n) }
	return fmt.Sprintf(`
trunks:
- name: west
  host: %s
  port: %d
- name: east
  host: %s
  port: %d
routes:
- name: everything
  prefix: "+1"
  lines: [east]
applications:
- id: %s
  account: %s
  name: answer
  script: {main: {}, fallback: {}, inline: '<Response><Gather timeout="600"/></Response>'}
  status: {}
- id: %s
  account: %s
  name: record
  script: {main: {}, fallback: {}, inline: '<Response><Dial record="record-from-answer-dual"><Number>+14155550199</Number></Dial></Response>'}
  status: {}
numbers:
- number: "%s"
  line: west
  target: "+14155550199"
- number: "%s"
  line: west
  application: %s
- number: "%s"
  line: west
  application: %s
`, westHost, west, eastHost, east, app(1), account, app(2), account,
		numberBridge, numberAnswer, app(1), numberRecord, app(2))
}

func command(binary, dir string, args ...string) (string, error) {
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), "CALLBOX_DATA="+dir)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return "", fmt.Errorf("callbox %s: %w", strings.Join(args, " "), err)
	}
	return string(out), nil
}

// copyFolder copies the files of a data folder.
func copyFolder(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			return os.MkdirAll(target, 0o700)
		case !d.Type().IsRegular():
			return nil // the control socket
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, b, 0o600)
	})
}
