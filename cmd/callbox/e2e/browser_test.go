//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"
)

// browser is Chromium with a page that is a telephone, steered over Chromium's
// own DevTools protocol.
type browser struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	log  *lockedBuffer
	ws   *websocket.Conn
	id   int
}

// startBrowser starts a page that registers as a user of the gateway over TLS. What
// its microphone hears is says, from the moment at which a call begins. answer
// says whether it takes calls by itself.
func startBrowser(t *testing.T, g *gateway, user, password string, says []int16, answer bool) *browser {
	t.Helper()
	b := openBrowser(t, g, user, says)
	url := "wss://" + strings.TrimPrefix(g.https, "https://") + "/sip"
	b.run(fmt.Sprintf("start(%q, %q, %q, %v)", url, user, password, answer))
	b.until("registered")
	return b
}

// openBrowser starts a page.
func openBrowser(t *testing.T, g *gateway, name string, says []int16) *browser {
	t.Helper()
	if err := installed["clients-browser"](); err != nil {
		t.Fatal(err)
	}
	files := http.NewServeMux()
	files.Handle("/", http.FileServer(http.Dir("clients-browser")))
	files.HandleFunc("/jssip.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join("clients-browser", "node_modules", "jssip", "dist", "jssip.min.js"))
	})
	pages := httptest.NewServer(files)
	t.Cleanup(pages.Close)
	dir := t.TempDir()
	b := &browser{t: t, name: name, log: &lockedBuffer{}}
	b.cmd = exec.Command("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--user-data-dir="+dir, "--remote-debugging-port=0", "--autoplay-policy=no-user-gesture-required",
		// The box's own CA is trusted, and no other certificate that is not in order.
		"--ignore-certificate-errors-spki-list="+authority(t, g),
		"--allow-loopback-in-peer-connection",
		"--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--use-file-for-fake-audio-capture="+microphone(t, says), "about:blank")
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	errs, err := b.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.stop)
	b.open(b.devTools(errs), pages.URL+"/phone.html")
	return b
}

// authority is the public key of the box's CA as Chromium wants it.
func authority(t *testing.T, g *gateway) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(g.dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// microphone makes the file that Chromium's microphone hears: two seconds for the
// call to come about, the words, and silence.
func microphone(t *testing.T, says []int16) string {
	t.Helper()
	dir := t.TempDir()
	narrow, wide := filepath.Join(dir, "8k.wav"), filepath.Join(dir, "48k.wav")
	s := append(append(make([]int16, 2*rate), says...), make([]int16, 120*rate)...)
	writeWAV(t, narrow, s)
	command(t, "sox", narrow, "-r", "48000", wide)
	return wide
}

// devTools is the address of Chromium's DevTools, which it prints.
func (b *browser) devTools(errs io.Reader) string {
	b.t.Helper()
	r := bufio.NewReader(io.TeeReader(errs, b.log))
	for {
		line, err := r.ReadString('\n')
		if m := regexp.MustCompile(`ws://([^/]+)/`).FindStringSubmatch(line); m != nil {
			go io.Copy(io.Discard, r) //nolint:errcheck // ends with the process
			return m[1]
		}
		if err != nil {
			b.t.Fatalf("Chromium did not start: %v\n%s", err, b.log)
		}
	}
}

// open opens a page and waits until its scripts have run.
func (b *browser) open(devTools, page string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+devTools+"/json/new?"+page, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	var target struct {
		WebSocketDebuggerURL string `json:"webSocketDebuggerUrl"`
	}
	if err := json.NewDecoder(res.Body).Decode(&target); err != nil {
		b.t.Fatal(err)
	}
	if b.ws, _, err = websocket.Dial(ctx, target.WebSocketDebuggerURL, nil); err != nil {
		b.t.Fatal(err)
	}
	b.ws.SetReadLimit(-1)
	poll(b.t, "the page's scripts", func() bool { return b.eval("typeof start === 'function' && typeof JsSIP === 'object'") == true })
}

// eval gives the value of an expression in the page.
func (b *browser) eval(js string) any {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	b.id++
	ask, err := json.Marshal(map[string]any{"id": b.id, "method": "Runtime.evaluate",
		"params": map[string]any{"expression": js, "returnByValue": true, "awaitPromise": true, "userGesture": true}})
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.ws.Write(ctx, websocket.MessageText, ask); err != nil {
		b.t.Fatalf("%s: %v", js, err)
	}
	for {
		_, text, err := b.ws.Read(ctx)
		if err != nil {
			b.t.Fatalf("%s: %v", js, err)
		}
		var answer struct {
			ID     int
			Result struct {
				Result           struct{ Value any }
				ExceptionDetails json.RawMessage
			}
		}
		if err := json.Unmarshal(text, &answer); err != nil {
			b.t.Fatal(err)
		}
		if answer.ID != b.id {
			continue // an event
		}
		if answer.Result.ExceptionDetails != nil {
			b.t.Fatalf("%s: %s", js, answer.Result.ExceptionDetails)
		}
		return answer.Result.Result.Value
	}
}

// run runs a statement in the page.
func (b *browser) run(js string) { b.t.Helper(); b.eval("void " + js) }

// until waits for something to have happened in the page, and forgets what was
// before it.
func (b *browser) until(what string) {
	b.t.Helper()
	poll(b.t, b.name+": "+what+" in the page", func() bool {
		return b.eval(fmt.Sprintf("(() => { const i = log.indexOf(%q); if (i < 0) return false; log.splice(0, i + 1); return true; })()", what)) == true
	})
}

// phases is how many samples of the page's there are for one of ours.
const phases = 48000 / rate

// hears fails unless want is in what the page has heard in its last call. The
// page's samples may lie between ours, which spoils what is high in a voice, so
// the comparison is tried from several places.
func (b *browser) hears(want []int16) {
	b.t.Helper()
	var best float64
	for phase := 0; phase < phases && best < 0.97; phase++ {
		best = max(best, similarity(b.heard(phase), want))
	}
	b.t.Logf("the page of %s: similarity %.3f over %.1f s", b.name, best, float64(len(want))/rate)
	if best < 0.9 {
		b.t.Errorf("the page of %s does not hear what was said: similarity %.3f, want at least 0.9", b.name, best)
	}
}

// heard is what the page has heard in its last call, from a sample of the page's
// on.
func (b *browser) heard(from int) []int16 {
	b.t.Helper()
	text, _ := b.eval("recording()").(string)
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		b.t.Fatal(err)
	}
	dir := b.t.TempDir()
	wide, narrow := filepath.Join(dir, "48k.raw"), filepath.Join(dir, "8k.wav")
	if err := os.WriteFile(wide, raw[min(2*from, len(raw)):], 0o600); err != nil {
		b.t.Fatal(err)
	}
	command(b.t, "sox", "-t", "raw", "-r", "48000", "-e", "signed", "-b", "16", "-c", "1", wide, "-r", strconv.Itoa(rate), narrow)
	s, _ := readWAV(b.t, narrow)
	return s
}

// die ends Chromium without a word.
func (b *browser) die() {
	syscall.Kill(-b.cmd.Process.Pid, syscall.SIGKILL) //nolint:errcheck // it may have ended
	b.cmd.Wait()                                      //nolint:errcheck // it was killed
}

func (b *browser) stop() {
	if b.t.Failed() && b.ws != nil && b.cmd.ProcessState == nil {
		b.t.Logf("%s: the page saw %v", b.name, b.eval("log.join('; ')"))
	}
	if b.ws != nil {
		b.ws.CloseNow() //nolint:errcheck // it ends here
	}
	b.die()
	if b.t.Failed() {
		b.t.Logf("Chromium of %s:\n%s", b.name, b.log)
	}
}
