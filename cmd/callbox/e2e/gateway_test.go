//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twilio/twilio-go"
	twilioclient "github.com/twilio/twilio-go/client"
)

// gateway is the built binary as a child process, with a data folder of its own.
type gateway struct {
	t       *testing.T
	dir     string
	cmd     *exec.Cmd
	out     *lockedBuffer // what people read
	log     *lockedBuffer
	done    chan struct{}
	exit    error
	account string
	token   string
	project string // the account's other id
	api     string // http://host:port
	https   string // https://host:port
	sip     string // host:port, UDP and TCP
	tls     string
	ready   time.Duration // as the binary says
	listen  string        // --sip; empty: two free ports of 127.0.0.1
	env     []string      // besides the test's own
	board   string        // --board; empty: sim
}

// callbox is the program under test: the one that make built, or the one that
// CALLBOX_BINARY names.
func callbox(t testing.TB) string {
	t.Helper()
	b := os.Getenv("CALLBOX_BINARY")
	if b == "" {
		b = filepath.Join("..", "..", "..", "bin", "callbox")
	}
	abs, err := filepath.Abs(b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(abs); err != nil {
		t.Fatalf("there is no binary to test: %v; run make build first", err)
	}
	return abs
}

// startGateway starts a gateway on the sim board and, when config is not empty,
// adds that to its configuration.
func startGateway(t *testing.T, config string) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: t.TempDir()}
	g.start()
	if config != "" {
		g.configure(config)
	}
	return g
}

// start runs the binary on the data folder.
func (g *gateway) start() {
	g.t.Helper()
	g.out, g.log, g.done = &lockedBuffer{}, &lockedBuffer{}, make(chan struct{})
	listen := g.listen
	if listen == "" {
		listen = net.JoinHostPort("127.0.0.1", strconv.Itoa(freePorts(g.t, 2)))
	}
	g.cmd = exec.Command(callbox(g.t), "serve", "--data", g.dir, "--http", "127.0.0.1:0", "--https", "127.0.0.1:0",
		"--sip", listen, "--board", cmp.Or(g.board, "sim"), "--log-level", "info")
	if len(g.env) > 0 {
		g.cmd.Env = append(os.Environ(), g.env...)
	}
	g.cmd.Stdout, g.cmd.Stderr = g.out, g.log
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := g.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	cmd, done := g.cmd, g.done
	go func() { g.exit = cmd.Wait(); close(done) }()
	g.t.Cleanup(func() {
		cmd.Process.Kill()
		<-done
		if g.t.Failed() {
			g.t.Logf("the gateway's log:\n%s", g.log.String())
		}
	})
	poll(g.t, "the gateway is ready", func() bool {
		select {
		case <-done:
			g.t.Fatalf("the gateway ended: %v\n%s\n%s", g.exit, g.out.String(), g.log.String())
		default:
		}
		return strings.Contains(g.out.String(), "  data ")
	})
	text := g.out.String()
	g.read(text)
	ms, err := strconv.Atoi(find(g.t, text, `ready after (\d+) ms`))
	if err != nil {
		g.t.Fatal(err)
	}
	g.ready = time.Duration(ms) * time.Millisecond
}

// read takes the keys and addresses from what the binary printed at a start.
func (g *gateway) read(text string) {
	g.t.Helper()
	if m := regexp.MustCompile(`CALLBOX_ACCOUNT=(\S+)\s+export CALLBOX_TOKEN=(\S+)`).FindStringSubmatch(text); m != nil {
		g.account, g.token = m[1], m[2]
		g.project = find(g.t, text, `CALLBOX_PROJECT=(\S+)`)
	}
	g.api = find(g.t, text, `API\s+(http://[^/]+)/`)
	g.https = find(g.t, text, `(https://\S+)`)
	g.sip = find(g.t, text, `SIP\s+udp, tcp (\S+)`)
	g.tls = find(g.t, text, `tls (\S+)`)
}

func find(t *testing.T, text, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no %s in:\n%s", pattern, text)
	}
	return m[1]
}

// configure adds YAML (lists of users, trunks …) to the exported configuration.
func (g *gateway) configure(yaml string) {
	g.t.Helper()
	g.importConfig(g.run("config", "export", "--secrets") + "\n" + yaml)
}

// change replaces text in the exported configuration.
func (g *gateway) change(old, by string) {
	g.t.Helper()
	text := g.run("config", "export", "--secrets")
	if !strings.Contains(text, old) {
		g.t.Fatalf("there is no %q in the configuration:\n%s", old, text)
	}
	g.importConfig(strings.Replace(text, old, by, 1))
}

func (g *gateway) importConfig(yaml string) {
	g.t.Helper()
	file := filepath.Join(g.t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		g.t.Fatal(err)
	}
	g.t.Logf("configuration:\n%s", g.run("config", "import", file))
}

// run runs another command of the binary on the same data folder.
func (g *gateway) run(args ...string) string {
	g.t.Helper()
	out, err := g.tryRun(args...)
	if err != nil {
		g.t.Fatalf("callbox %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (g *gateway) tryRun(args ...string) (string, error) {
	cmd := exec.Command(callbox(g.t), args...)
	cmd.Env = append(os.Environ(), "CALLBOX_DATA="+g.dir)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	return string(out) + errs.String(), err
}

// stop sends a signal and waits for the end.
func (g *gateway) stop(sig os.Signal) error {
	g.t.Helper()
	g.cmd.Process.Signal(sig)
	select {
	case <-g.done:
		return g.exit
	case <-time.After(patience):
		g.t.Fatalf("the gateway did not end within %s of %s", patience, sig)
		return nil
	}
}

// twilio is the vendor's client with its address changed and nothing else.
func (g *gateway) twilio() *twilio.RestClient {
	return g.twilioAs(g.account, g.token)
}

func (g *gateway) twilioAs(user, password string) *twilio.RestClient {
	c := &twilioclient.Client{Credentials: twilioclient.NewCredentials(user, password),
		HTTPClient: &http.Client{Transport: redirect{g.api}, Timeout: patience}}
	c.SetAccountSid(g.account)
	return twilio.NewRestClientWithParams(twilio.ClientParams{Client: c})
}

// redirect sends every request to the gateway.
type redirect struct{ base string }

func (r redirect) RoundTrip(req *http.Request) (*http.Response, error) {
	u, err := url.Parse(r.base)
	if err != nil {
		return nil, err
	}
	req = req.Clone(req.Context())
	req.URL.Scheme, req.URL.Host, req.Host = u.Scheme, u.Host, ""
	return http.DefaultTransport.RoundTrip(req)
}

// post sends a form to a path below the account.
func (g *gateway) post(path string, form url.Values) (int, map[string]any) {
	g.t.Helper()
	return g.do(http.MethodPost, path, form)
}

func (g *gateway) get(path string) (int, map[string]any) {
	g.t.Helper()
	return g.do(http.MethodGet, path, nil)
}

func (g *gateway) do(method, path string, form url.Values) (int, map[string]any) {
	g.t.Helper()
	req, err := http.NewRequest(method, g.api+"/2010-04-01/Accounts/"+g.account+path, strings.NewReader(form.Encode()))
	if err != nil {
		g.t.Fatal(err)
	}
	req.SetBasicAuth(g.account, g.token)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	var out map[string]any
	if len(body) > 0 {
		if err := json.Unmarshal(body, &out); err != nil {
			g.t.Fatalf("%s %s: %d, not JSON: %.200s", method, path, res.StatusCode, body)
		}
	}
	return res.StatusCode, out
}

// create places a call and gives its sid.
func (g *gateway) create(form url.Values) string {
	g.t.Helper()
	code, body := g.post("/Calls.json", form)
	if code != http.StatusCreated {
		g.t.Fatalf("create call: %d %v", code, body)
	}
	return body["sid"].(string)
}

// until waits until a call has this status and gives its record.
func (g *gateway) until(sid, status string) map[string]any {
	g.t.Helper()
	var rec map[string]any
	poll(g.t, fmt.Sprintf("call %s is %s", sid, status), func() bool {
		_, rec = g.get("/Calls/" + sid + ".json")
		return rec["status"] == status
	})
	return rec
}

// metrics reads the gateway's counters from the control socket.
func (g *gateway) metrics() map[string]float64 {
	g.t.Helper()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", filepath.Join(g.dir, "callbox.sock"))
		}}}
	res, err := c.Get("http://callbox/metrics")
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	out := map[string]float64{}
	for _, l := range strings.Split(string(body), "\n") {
		name, value, ok := strings.Cut(l, " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil && name != "#" {
			out[name] = v
		}
	}
	return out
}

// recording fetches the only recording of a call: its samples and channels.
func (g *gateway) recording(sid string) ([]int16, int) {
	g.t.Helper()
	var rec map[string]any
	poll(g.t, "the recording is complete", func() bool {
		_, list := g.get("/Calls/" + sid + "/Recordings.json")
		all, _ := list["recordings"].([]any)
		if len(all) != 1 {
			return false
		}
		rec = all[0].(map[string]any)
		return rec["status"] == "completed"
	})
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("%s/2010-04-01/Accounts/%s/Recordings/%s.wav", g.api, g.account, rec["sid"]), nil)
	if err != nil {
		g.t.Fatal(err)
	}
	req.SetBasicAuth(g.account, g.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	s, ch, ok := parseWAV(b)
	if !ok {
		g.t.Fatalf("the recording is not a WAV file: %d bytes, %s", len(b), res.Status)
	}
	return s, ch
}

// createForm places a call by one of the form APIs and gives its sid.
func (g *gateway) createForm(dialect, to, script, status string) string {
	g.t.Helper()
	return ask(g.t, http.MethodPost, g.callPath(dialect)+"/Calls.json", userOf(g, dialect), g.token, url.Values{
		"To": {to}, "From": {"+14155550100"}, "Url": {script}, "StatusCallback": {status},
		"StatusCallbackEvent": {"initiated", "ringing", "answered", "completed"}}.Encode())
}
