//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// snippets are the pieces of program in README.md, by what they hold.
func snippets(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)```(sh|go|js)\n(.*?)```\n").FindAllStringSubmatch(string(text), -1) {
		for name, mark := range map[string]string{"curl": "--data-urlencode 'Twiml=", "restcomm": "/restcomm/2012-04-24/", "twilio-go": "NewRestClientWithParams", "twilio": "require('twilio')",
			"signalwire": "@signalwire/compatibility-api", "jambonz": "@jambonz/node-client", "jambonz-sdk": "@jambonz/sdk"} {
			if !strings.Contains(m[2], mark) {
				continue
			}
			if n := strings.Count(m[2], "\n"); out[name] != "" || n > 5 {
				t.Errorf("README.md has %d lines for %s, or two pieces", n, name)
			}
			out[name] = m[2]
		}
	}
	if len(out) != 7 {
		t.Fatalf("README.md has pieces for %d clients only", len(out))
	}
	return out
}

// goMain is what a reader writes around the piece for Go.
const goMain = `package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/twilio/twilio-go"
	"github.com/twilio/twilio-go/client"
	openapi "github.com/twilio/twilio-go/rest/api/v2010"
)

func main() {
	account, token := os.Getenv("CALLBOX_ACCOUNT"), os.Getenv("CALLBOX_TOKEN")
%s
	if err != nil {
		panic(err)
	}
	fmt.Println(*call.Sid)
}
`

// TestReadme runs each piece of program of README.md as it stands there, with
// the box's present address: the phone rings.
func TestReadme(t *testing.T) {
	t.Parallel()
	for name, text := range snippets(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, "")
			a := newApp(t)
			a.doc("/hello.xml", `<Response><Hangup/></Response>`)
			env := append(os.Environ(), "CALLBOX_ACCOUNT="+g.account, "CALLBOX_TOKEN="+g.token, "CALLBOX_PROJECT="+g.project,
				"NODE_EXTRA_CA_CERTS="+filepath.Join(g.dir, "ca.pem"))
			here := strings.NewReplacer("http://127.0.0.1:8080", g.api, "127.0.0.1:8080", strings.TrimPrefix(g.api, "http://"),
				"127.0.0.1:8443", strings.TrimPrefix(g.https, "https://"), "http://app.lan", a.URL)
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			text = here.Replace(text)
			var cmd *exec.Cmd
			switch name {
			case "curl", "restcomm":
				cmd = exec.CommandContext(ctx, "sh", "-c", text)
			case "twilio-go":
				file := filepath.Join(t.TempDir(), "main.go")
				if err := os.WriteFile(file, fmt.Appendf(nil, goMain, text), 0o600); err != nil {
					t.Fatal(err)
				}
				cmd = exec.CommandContext(ctx, "go", "run", file)
			default:
				dir, kind := "clients-laml", "commonjs"
				if strings.HasPrefix(name, "jambonz") {
					dir = "clients-jambonz"
				}
				if strings.HasPrefix(text, "import ") {
					kind = "module"
				}
				cmd = program(t, ctx, dir, nil, "--input-type="+kind, "-e", text)
			}
			cmd.Env = env
			out, err := cmd.Output()
			sid := regexp.MustCompile(`CA[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`).FindString(string(out))
			if err != nil || sid == "" {
				t.Fatalf("%v\n%s\n%s", err, text, out)
			}
			poll(t, "the phone of "+sid+" rings", func() bool { return g.state(sid) == "ringing" })
		})
	}
}

// state is that of a call of any API.
func (g *gateway) state(sid string) string {
	g.t.Helper()
	var list []struct{ ID, State string }
	if err := json.Unmarshal([]byte(g.run("calls", "-o", "json")), &list); err != nil {
		g.t.Fatal(err)
	}
	for _, c := range list {
		if c.ID == sid {
			return c.State
		}
	}
	return ""
}
