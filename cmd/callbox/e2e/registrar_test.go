//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// granted is a registrar's side of one registration: challenge, check the
// password, grant the contact for seconds. With wrong credentials SIPp stops.
func granted(seconds int) string {
	return recv("REGISTER") + reply("401 Unauthorized", "WWW-Authenticate"+digest, "") +
		`<recv request="REGISTER" crlf="true"><action>
<verifyauth assign_to="good" username="box" password="s3cret9"/>
</action></recv>
<nop condexec="good" condexec_inverse="true"><action><exec int_cmd="stop_now"/></action></nop>
` + registered(fmt.Sprintf("[last_Contact:];expires=%d", seconds))
}

// registered is the 200 to a REGISTER; contact is the Contact header, or empty.
func registered(contact string) string {
	if contact != "" {
		contact += "\n"
	}
	return `<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[pid]T[call_number]
[last_Call-ID:]
[last_CSeq:]
` + contact + `Content-Length: 0

]]></send>
`
}

// left is the registrar's side of the end: the contact goes with "Expires: 0".
const left = `<recv request="REGISTER" crlf="true"><action>
<ereg regexp="^[[:space:]]*0[[:space:]]*$" search_in="hdr" header="Expires:" check_it="true" assign_to="zero"/>
<log message="[$zero]"/>
</action></recv>
`

// status is how a line is.
func (g *gateway) status(id string) (ready bool, text string) {
	g.t.Helper()
	var lines []struct {
		ID     string
		Status struct {
			Ready bool
			Text  string
		}
	}
	if err := json.Unmarshal([]byte(g.run("lines", "-o", "json")), &lines); err != nil {
		g.t.Fatal(err)
	}
	for _, l := range lines {
		if l.ID == id {
			return l.Status.Ready, l.Status.Text
		}
	}
	g.t.Fatalf("there is no line %s", id)
	return false, ""
}

// TestTrunkRegisters follows a registration through its life: the challenge, a
// refresh before the granted time is over, a registrar that is out of order and
// comes back, and the end in good order.
func TestTrunkRegisters(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g, port := trunked(t, a, "  register: true\n  username: box\n  password: s3cret9\n  expires: 10m")
	s := startSIPp(t, port, 1, granted(3)+granted(3)+
		recv("REGISTER")+reply("503 Service Unavailable", "", "")+
		granted(300)+left+reply("401 Unauthorized", "WWW-Authenticate"+digest, "")+left+registered(""))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for i, step := range []struct {
		ready bool
		text  string
	}{{true, "for 3 s"}, {false, "503"}, {true, "for 300 s"}} {
		poll(t, fmt.Sprintf("registration, step %d: %s", i, step.text), func() bool {
			ready, text := g.status("provider")
			return ready == step.ready && strings.Contains(text, step.text)
		})
	}
	if err := g.stop(syscall.SIGTERM); err != nil {
		t.Errorf("exit: %v", err)
	}
	s.succeeds(ctx)
}
