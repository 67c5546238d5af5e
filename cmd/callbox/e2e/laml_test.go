//go:build e2e

package e2e

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// vendors are the Node clients of the form APIs, by plain HTTP and by HTTPS with
// the CA of the box.
var vendors = map[string]struct {
	vendor string
	https  bool
}{
	"twilio": {"twilio", false}, "twilio over TLS": {"twilio", true},
	"signalwire": {"signalwire", false}, "signalwire over TLS": {"signalwire", true},
}

// vendorEnv is how a client is pointed at the gateway.
func (g *gateway) vendorEnv(vendor string, https bool) []string {
	env := []string{"VENDOR=" + vendor, "BASE=" + g.api, "ACCOUNT=" + g.account, "TOKEN=" + g.token}
	if vendor == "signalwire" {
		env[2] = "ACCOUNT=" + g.project
	}
	if https {
		env[1] = "BASE=" + g.https
		env = append(env, "NODE_EXTRA_CA_CERTS="+filepath.Join(g.dir, "ca.pem"))
	}
	return env
}

// object, list and text take an answer apart.
func object(v any) map[string]any { m, _ := v.(map[string]any); return m }
func text(v any) string           { s, _ := v.(string); return s }
func list(v any) (out []string) {
	l, _ := v.([]any)
	for _, x := range l {
		out = append(out, text(x))
	}
	return out
}

// TestFormClients makes, watches, changes, finds and ends calls, and handles
// recordings, with each vendor's REST client.
func TestFormClients(t *testing.T) {
	t.Parallel()
	for name, tc := range vendors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, twoUsers)
			env := g.vendorEnv(tc.vendor, tc.https)
			says := speak(t, "The blue folder is on the desk near the window.")
			a := startHookApp(t, "clients-laml", append(env, "PROMPT=", "OTHER=")...)
			startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: says})
			startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "manual"})
			env = append(env, "APP="+a.url, "PHONE=client:bob", "SLOW=client:alice", "GONE=+33155550123",
				fmt.Sprintf("TALK=%d", len(says)*1000/rate+1000))
			run := func(scenario string) map[string]any {
				t.Helper()
				return runClient(t, "clients-laml", env, scenario)
			}
			checkRefusals(t, run("refusals"))
			checkLists(t, run("lists"))
			checkLifecycle(t, tc.vendor, a, run("lifecycle"))
			run("lifecycle") // for a second recording
			checkCancel(t, a, run("cancel"))
			checkRecordings(t, run("recordings"), says)
			a.verified()
		})
	}
}

func checkRefusals(t *testing.T, got map[string]any) {
	t.Helper()
	for name, want := range map[string][2]float64{
		"stranger": {401, 20003}, "unknown": {404, 20404}, "to": {400, 21211}, "method": {400, 21209},
		"url": {400, 21205}, "timeout": {400, 21208}, "application": {400, 21218},
	} {
		e := object(got[name])
		if e["status"] != want[0] || e["code"] != want[1] || text(e["message"]) == "" || !strings.HasPrefix(text(e["moreInfo"]), "https://") {
			t.Errorf("%s: %v, want status %v and code %v", name, e, want[0], want[1])
		}
	}
}

func checkLists(t *testing.T, got map[string]any) {
	t.Helper()
	made := list(got["made"])
	if len(made) != 7 {
		t.Fatalf("made %v", made)
	}
	var number []string
	for i, sid := range made {
		if (len(made)-1-i)%2 == 1 {
			number = append(number, sid)
		}
	}
	for name, want := range map[string][]string{
		"all": made, "paged": made, "five": made[:5], "failed": made, "busy": nil, "number": number, "today": made, "yesterday": nil,
		"second": made[3:6], "back": made[:3], "each": made, "left": made[1:],
	} {
		if l := list(got[name]); !slices.Equal(l, want) {
			t.Errorf("%s: %v, want %v", name, l, want)
		}
	}
	if got["removed"] != true || object(got["gone"])["status"] != 404.0 {
		t.Errorf("removed: %v, then %v", got["removed"], got["gone"])
	}
}

func checkLifecycle(t *testing.T, vendor string, a *hookApp, got map[string]any) {
	t.Helper()
	made, up, ended := object(got["made"]), object(got["up"]), object(got["ended"])
	sid := text(made["sid"])
	if sid == "" || made["status"] != "queued" || made["to"] != "client:bob" {
		t.Errorf("made: %v", made)
	}
	direction := "outbound-api"
	if vendor == "signalwire" {
		direction = "outbound"
	}
	if up["direction"] != direction || text(up["dateCreated"]) == "" || text(up["startTime"]) == "" || up["endTime"] != nil {
		t.Errorf("up: %v", up)
	}
	if object(got["redirected"])["sid"] != sid || object(got["completed"])["sid"] != sid {
		t.Errorf("redirected: %v; completed: %v", got["redirected"], got["completed"])
	}
	if e := object(got["live"]); e["code"] != 20009.0 {
		t.Errorf("delete while it is up: %v", e)
	}
	if e := object(got["late"]); e["status"] != 400.0 || e["code"] != 21220.0 {
		t.Errorf("redirect after the end: %v", e)
	}
	if d := fmt.Sprint(ended["duration"]); d == "0" || d == "<nil>" {
		t.Errorf("ended: %v", ended)
	}
	if h := a.until("/hold", 2); h.Query != "" && h.Body["redirected"] != "1" {
		t.Errorf("the second document was asked for with %v", h)
	}
	want := "initiated ringing in-progress completed"
	if vendor == "signalwire" {
		want = "initiated ringing answered in-progress completed"
	}
	poll(t, "the last status", func() bool { return slices.Contains(a.statuses(sid), "completed") })
	if s := strings.Join(a.statuses(sid), " "); s != want {
		t.Errorf("statuses: %s, want %s", s, want)
	}
}

func checkCancel(t *testing.T, a *hookApp, got map[string]any) {
	t.Helper()
	sid := text(got["sid"])
	if ended := object(got["ended"]); ended["status"] != "canceled" {
		t.Errorf("ended: %v", ended)
	}
	poll(t, "the last status", func() bool { return slices.Contains(a.statusesAt("/cancelled", sid), "canceled") })
	if s := strings.Join(a.statusesAt("/cancelled", sid), " "); s != "initiated ringing canceled" {
		t.Errorf("statuses: %s", s)
	}
}

func checkRecordings(t *testing.T, got map[string]any, says []int16) {
	t.Helper()
	all, _ := got["all"].([]any)
	if len(all) != 2 {
		t.Fatalf("recordings: %v", got["all"])
	}
	sid := text(object(all[0])["sid"])
	for _, name := range []string{"fetched", "ofCall"} {
		if r := object(got[name]); r["sid"] != sid || r["status"] != "completed" || r["channels"] != 2.0 || r["source"] != "OutboundAPI" {
			t.Errorf("%s: %v", name, r)
		}
	}
	for _, name := range []string{"byFilter", "byCall"} {
		if l := list(got[name]); !slices.Equal(l, []string{sid}) {
			t.Errorf("%s: %v", name, l)
		}
	}
	sound := object(got["sound"])
	b, err := base64.StdEncoding.DecodeString(text(sound["wav"]))
	if err != nil {
		t.Fatal(err)
	}
	s, ch, ok := parseWAV(b)
	if sound["status"] != 200.0 || !ok || ch != 2 {
		t.Fatalf("the sound: %v %v, %d bytes", sound["status"], sound["type"], len(b))
	}
	hears(t, "the recording's channel of the phone", channel(s, 0, 2), says)
	if got["removed"] != true || object(got["gone"])["status"] != 404.0 {
		t.Errorf("removed: %v, then %v", got["removed"], got["gone"])
	}
	if l := list(got["left"]); len(l) != 1 || l[0] == sid {
		t.Errorf("left: %v", l)
	}
}

// TestFormVerbs runs documents of each vendor's builder on real phones: digits
// and sound go both ways, the call is recorded and connected. The application is
// behind TLS and a password, and the vendor's validators accept every request.
func TestFormVerbs(t *testing.T) {
	t.Parallel()
	for _, vendor := range []string{"twilio", "signalwire"} {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, twoUsers)
			cert, sum := certificateFile(t)
			g.webhooks("  pins:\n  - {host: 127.0.0.1, sha256: " + sum + "}\n")
			env := append(g.vendorEnv(vendor, false), "CERT="+cert, "USERINFO=shop:s3same%26@")
			question := speak(t, "Please press one two three four on your telephone.")
			answer := speak(t, "Here I am, and I have a message for the workshop.", "-v", "en-us")
			after := append(make([]int16, len(question)+2*rate), answer...) // begins when the whisper is over
			sounds := newApp(t)
			a := startHookApp(t, "clients-laml", append(env, "PROMPT="+sounds.wav("/question.wav", question), "OTHER=alice")...)
			base := strings.Replace(a.url, "https://", "https://shop:s3same%26@", 1)
			bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto"})
			alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto", says: after})
			sid := g.createForm(vendor, "client:bob", base+"/voice", base+"/status")
			sounds.until("/question.wav", 1)
			pauseFor(time.Duration(len(question))*time.Second/rate + time.Second)
			bob.press("1234")
			d := a.until("/digits", 1)
			if d.Body["Digits"] != "1234" || d.Query != "?from=gather&empty=" {
				t.Errorf("gather told %v", d)
			}
			for _, want := range "59#" {
				if ev := bob.wait("CALL_DTMF_START"); ev.Param != string(want) {
					t.Errorf("digit to the phone: %q, want %q", ev.Param, want)
				}
			}
			r := a.until("/recorded", 1).Body
			if r["RecordingDuration"] != "3" || text(r["RecordingSid"]) == "" {
				t.Errorf("record told %v", r)
			}
			poll(t, "the recording's messages", func() bool { return len(a.requests("/recording")) >= 2 })
			child := text(a.until("/whisper", 1).Body["CallSid"])
			alice.wait("CALL_ESTABLISHED")
			sounds.until("/question.wav", 2)
			pauseFor(time.Duration(len(after))*time.Second/rate + time.Second)
			alice.do("hangup", "")
			dialled := a.until("/dialled", 1).Body
			if dialled["DialCallStatus"] != "completed" || dialled["DialCallSid"] != child || dialled["DialBridged"] != "true" {
				t.Errorf("dial told %v", dialled)
			}
			if q := a.until("/bye", 1); q.Body["b"] != "&" || q.Body["CallSid"] != sid {
				t.Errorf("redirect asked with %v", q)
			}
			want := "initiated ringing in-progress completed"
			if vendor == "signalwire" {
				want = "initiated ringing answered in-progress completed"
			}
			for path, id := range map[string]string{"/status": sid, "/child": child} {
				poll(t, "the last message to "+path, func() bool { return slices.Contains(a.statusesAt(path, id), "completed") })
				if s := strings.Join(a.statusesAt(path, id), " "); s != want {
					t.Errorf("%s: %s, want %s", path, s, want)
				}
			}
			hears(t, "bob", bob.heard(), question)
			hears(t, "bob, from alice,", bob.heard(), answer)
			hears(t, "alice", alice.heard(), question)
			a.verified()
		})
	}
}

// certificateFile writes a certificate with its key, and gives its SHA-256.
func certificateFile(t *testing.T) (path, sum string) {
	t.Helper()
	s := httptest.NewTLSServer(nil) // lends its certificate
	defer s.Close()
	key, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	der := s.Certificate().Raw
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	path = filepath.Join(t.TempDir(), "app.pem")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, fmt.Sprintf("%x", sha256.Sum256(der))
}
