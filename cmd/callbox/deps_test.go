package main

import (
	"fmt"
	"go/build"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// rule says what a package of ours may import of ours. The patterns are those
// of path.Match; a trailing "/**" takes the folder itself and everything below.
// The first rule whose from matches decides.
type rule struct {
	from string
	may  []string
}

// rules is the import table: technologies know nothing of calls, the core knows
// no technology, dialects know neither, and arrows never turn back.
var rules = []rule{
	{"media", nil},
	// What browsers want beside the sound is ICE, DTLS, and SRTP keyed by it.
	{"media/webrtc", []string{"media/ice", "media/srtp"}},
	// Sessions measure what passes, and hear fax machines in it.
	{"media/session", []string{"media", "media/codec", "media/quality", "media/tone"}},
	// It makes recordings for tests and training; nothing of it is in the gateway.
	{"media/amd/corpus", []string{"media", "media/codec", "media/wav"}},
	// Tests keep golden sounds as WAV files.
	{"media/mediatest", []string{"media", "media/wav"}},
	{"media/**", []string{"media", "media/codec"}},
	{"hal", nil},
	{"hal/at", nil},
	// Text messages and USSD are AT commands of their own, for any modem.
	{"hal/sms", []string{"hal", "hal/at"}},
	{"hal/gsm", []string{"hal", "hal/at", "hal/sms"}},
	// A simulated phone shows who calls, as a real one does.
	{"hal/sim", []string{"hal", "media", "media/fsk", "media/dtmf"}},
	// What happens at far sides, as data.
	{"hal/sim/scene", nil},
	// Modems are simulated with what all far sides have in common.
	{"hal/sim/cell", []string{"hal", "hal/sim"}},
	// The sound in the serial line of a voice modem is G.711.
	{"hal/vmodem", []string{"hal", "hal/at", "media/codec"}},
	// Sound cards have rates of their own.
	{"hal/bus", []string{"hal", "media"}},
	{"hal/**", []string{"hal"}},
	{"board", []string{"hal", "hal/**"}},
	{"sip/sdp", []string{"media/codec"}},
	// Telephones keep their way open by STUN on the SIP socket.
	{"sip/wire", []string{"sip/stun"}},
	{"sip/stun", nil},
	{"sip/locate", nil},
	{"sip/document", nil},
	{"sip", []string{"sip/sdp", "sip/wire", "sip/locate"}},
	{"call", []string{"media"}},
	{"call/number", nil},
	{"call/event", []string{"call", "call/number", "media"}},
	{"call/route", []string{"call", "call/number", "media"}},
	{"call/script", []string{"call", "call/number", "media"}},
	// Rooms steer the mixing of their parties' sound.
	{"call/room", []string{"call", "call/script", "media", "media/mix", "media/session"}},
	{"call/trace", []string{"call"}},
	{"call/lamp", []string{"call"}},
	{"call/text", []string{"call"}},
	// Guards are policy about numbers, as routes are.
	{"call/toll", []string{"call", "call/number", "media"}},
	{"call/engine", []string{"call", "call/room", "call/event", "call/number", "call/route", "call/script", "call/toll", "media", "media/**"}},
	// The suite drives lines with the real clock and tones.
	{"call/line/linetest", []string{"call", "media", "media/**"}},
	{"call/line/sipleg", []string{"call", "call/number", "media", "media/**", "sip", "sip/sdp"}},
	{"call/line/sipleg/siptest", []string{"call", "call/line/linetest", "media", "media/**", "sip", "sip/sdp"}},
	// Providers want numbers in forms of their own.
	{"call/line/trunk", []string{"call", "call/number", "media", "media/**", "sip", "sip/sdp", "call/line/sipleg"}},
	{"call/line/user", []string{"call", "media", "media/**", "sip", "sip/sdp", "call/line/sipleg"}},
	{"call/line/*", []string{"call", "call/line/portleg", "media", "media/**", "hal"}},
	{"storage", []string{"call", "storage/config", "storage/wal"}},
	{"storage/wal", nil},
	{"storage/config", []string{"call"}},
	{"storage/storagetest", []string{"call", "storage", "storage/config"}},
	{"api", []string{"call", "call/event", "call/script"}},
	{"api/laml/twiml", []string{"call", "call/script"}},
	{"api/laml", []string{"call", "call/event", "call/script", "api", "api/laml/twiml"}},
	{"api/twilio", []string{"call", "call/event", "call/script", "api", "api/laml"}},
	{"api/signalwire", []string{"call", "call/event", "call/script", "api", "api/laml"}},
	{"api/restcomm", []string{"call", "call/event", "call/script", "api", "api/laml"}},
	{"api/jambonz/js", nil},
	{"api/jambonz/shape", []string{"call", "call/script", "api/jambonz/js"}},
	{"api/jambonz/*", []string{"call", "call/event", "call/script", "api", "api/jambonz/js", "api/jambonz/shape"}},
	{"api/jambonz", []string{"call", "call/event", "call/script", "api", "api/jambonz/**"}},
	{"api/admin", []string{"call", "call/event", "call/script", "call/trace", "api"}},
	// Sound is what it carries.
	{"api/stream", []string{"call", "call/script", "api", "media", "media/codec", "media/wav"}},
	// It decodes what vendors speak, and takes the sound of calls.
	{"api/vendor", []string{"call", "call/script", "media", "media/mp3", "media/wav"}},
	{"api/**", []string{"call", "call/event", "call/script", "api"}},
	// It judges sound alone.
	{"cmd/amdbench", []string{"media", "media/**"}},
	{"cmd/callbox", []string{"**"}},
	{"cmd/callbox/**", []string{"**"}},
}

// doors are the packages through which a third-party module may come in.
var doors = map[string][]string{
	// cmd/callbox/bench measures the gateway beside a bare sipgo user agent.
	"github.com/emiago/sipgo": {"sip", "sip/wire", "call/line/sipleg", "call/line/trunk", "call/line/user", "cmd/callbox/bench"},
	// media/srtp lends the ciphers their packet headers, so that none is made anew.
	"github.com/pion/rtp":         {"media/rtp", "media/srtp"},
	"github.com/pion/rtcp":        {"media/rtp", "media/srtp"},
	"github.com/pion/srtp":        {"media/srtp"},
	"github.com/pion/dtls":        {"media/webrtc"},
	"github.com/pion/logging":     {"media/webrtc"}, // to keep that one silent
	"github.com/pion/sdp":         {"sip/sdp"},
	"github.com/zaf/g711":         {"media/codec"},
	"github.com/gotranspile/g722": {"media/codec"},
	// net.Resolver knows neither NAPTR records nor how long an answer is good.
	"github.com/miekg/dns":              {"sip/locate"},
	"go.etcd.io/bbolt":                  {"storage"},
	"github.com/goccy/go-yaml":          {"storage/config", "board", "hal/sim/scene"},
	"go.bug.st/serial":                  {"hal/bus"},
	"github.com/warthog618/sms":         {"hal/sms"},
	"periph.io/x":                       {"hal/bus"},
	"github.com/warthog618/go-gpiocdev": {"hal/bus"},
	"github.com/gen2brain/alsa":         {"hal/bus"},
	"github.com/hajimehoshi/go-mp3":     {"media/mp3"},
	// sip/wire: browsers speak SIP over websockets (RFC 7118).
	"github.com/coder/websocket":    {"api/jambonz/socket", "api/stream", "api/vendor", "sip/wire"},
	"github.com/alecthomas/kong":    {"cmd/callbox", "cmd/amdbench"},
	"github.com/getkin/kin-openapi": {}, // it validates in tests, and is too large for the binary
}

func match(pattern, pkg string) bool {
	if pattern == "**" {
		return true
	}
	if dir, ok := strings.CutSuffix(pattern, "/**"); ok {
		return strings.HasPrefix(pkg, dir+"/")
	}
	ok, err := path.Match(pattern, pkg)
	return err == nil && ok
}

// packages lists the module's packages, without the module's name.
func packages(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "callbox/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []string
	for _, p := range strings.Fields(string(out)) {
		list = append(list, strings.TrimPrefix(p, "callbox/"))
	}
	return list
}

func TestImportTable(t *testing.T) {
	for _, pkg := range packages(t) {
		var may *rule
		for i := range rules {
			if match(rules[i].from, pkg) {
				may = &rules[i]
				break
			}
		}
		if may == nil {
			t.Errorf("%s has no rule in the import table", pkg)
			continue
		}
		p, err := build.Import("callbox/"+pkg, ".", 0)
		if err != nil {
			t.Errorf("%s: %v", pkg, err)
			continue
		}
		for _, imp := range p.Imports {
			if complaint := checkImport(pkg, imp, may.may); complaint != "" {
				t.Error(complaint)
			}
		}
	}
}

// checkImport gives a sentence when pkg must not import imp, else nothing.
func checkImport(pkg, imp string, may []string) string {
	if ours, ok := strings.CutPrefix(imp, "callbox/"); ok {
		for _, m := range may {
			if match(m, ours) {
				return ""
			}
		}
		return fmt.Sprintf("%s imports %s, which the import table does not allow", pkg, ours)
	}
	for module, allowed := range doors {
		if imp != module && !strings.HasPrefix(imp, module+"/") {
			continue
		}
		if !slices.Contains(allowed, pkg) {
			return fmt.Sprintf("%s imports %s, which comes in only through %s", pkg, imp, strings.Join(allowed, ", "))
		}
	}
	return ""
}

// TestTableItself holds the matcher to what the table's comment promises.
func TestTableItself(t *testing.T) {
	for _, tc := range []struct {
		pattern, pkg string
		want         bool
	}{
		{"media/**", "media/rtp", true}, {"media/**", "media", false}, {"media", "media/rtp", false},
		{"call/line/*", "call/line/fxs", true}, {"call/line/*", "call/engine", false}, {"**", "api", true},
	} {
		if got := match(tc.pattern, tc.pkg); got != tc.want {
			t.Errorf("match(%q, %q) = %v", tc.pattern, tc.pkg, got)
		}
	}
	if checkImport("sip", "callbox/call", []string{"sip/sdp"}) == "" {
		t.Error("a forbidden import of ours was not noticed")
	}
	if checkImport("call", "go.etcd.io/bbolt", nil) == "" {
		t.Error("a module that came in beside its door was not noticed")
	}
	if c := checkImport("media/rtp", "callbox/media/codec", []string{"media/codec"}); c != "" {
		t.Error("an allowed import was refused: " + c)
	}
}
