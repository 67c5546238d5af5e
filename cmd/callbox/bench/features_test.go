//go:build bench

package bench

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"callbox/media/codec"
	"callbox/media/srtp"
)

// More numbers that the gateway knows then.
const (
	numberAMD   = "+14155550103" // goes to the callee, whose side is listened to for an answering machine
	numberRooms = "+1415555020"  // and a digit: into a conference of its own
	roomSize    = 8              // parties of a conference
	roomCount   = 6              // conferences
	parties     = roomSize * roomCount
	heardPart   = 0.95 // of the packets that must come through, or the figure is not taken
	featureTime = 1500 * time.Millisecond
)

// feature is something that can be done with the sound of a call.
type feature struct {
	name   string
	number string
	style  [2]style // of caller and callee
	secure bool
}

// style is how a far end describes and writes its sound.
type style struct {
	codec codec.Codec // zero: µ-law
	keys  srtp.Keys   // zero: in the clear
}

// features are measured in this order, each by a fresh process, all of them in every
// round. The first one is what the others are compared with.
func features() ([]feature, error) {
	keys := [2]srtp.Keys{}
	for i := range keys {
		k, err := srtp.NewKeys(srtp.AES128Tag80)
		if err != nil {
			return nil, err
		}
		keys[i] = k
	}
	return []feature{
		{name: plainRelay, number: numberBridge},
		{name: "transcoded, µ-law and A-law", number: numberBridge, style: [2]style{1: {codec: codec.PCMA}}},
		{name: "transcoded, µ-law and G.722", number: numberBridge, style: [2]style{1: {codec: codec.G722}}},
		{name: "SRTP on both sides, relayed", number: numberBridge, style: [2]style{{keys: keys[0]}, {keys: keys[1]}}, secure: true},
		{name: "recorded in stereo", number: numberRecord},
		{name: "machine detection on the callee", number: numberAMD},
		{name: "conferences of 8, everybody talks", number: numberRooms},
	}, nil
}

const plainRelay = "relayed"

// featureLines are their lines in the table; what they cost is compared with relaying.
func featureLines() (lines []line) {
	all, err := features()
	if err != nil {
		return nil
	}
	for _, f := range all {
		lines = append(lines, line{what: featureLine(f.name)})
	}
	return lines
}

func featureLine(name string) string { return "CPU of 100 parties, % of a core: " + name }

// describe is a session description in that style.
func (s style) describe(host string, port, ptime int) string {
	text := session(host, port, ptime)
	if !s.codec.IsZero() {
		pt := fmt.Sprint(s.codec.PayloadType)
		text = strings.Replace(strings.Replace(text, "RTP/AVP 0 ", "RTP/AVP "+pt+" ", 1), "a=rtpmap:0 PCMU/8000",
			"a=rtpmap:"+pt+" "+s.codec.Name+"/8000", 1)
	}
	if !s.keys.IsZero() {
		text = strings.Replace(text, "RTP/AVP", "RTP/SAVP", 1) + "a=crypto:1 " + string(s.keys.Suite) + " " + s.keys.Param() + "\r\n"
	}
	return text
}

// dress gives the packets of a side their style.
func (t *talk) dress(side int, s style) error {
	t.pts[side] = s.codec.PayloadType
	if s.keys.IsZero() {
		return nil
	}
	var err error
	t.seal[side], err = srtp.NewCipher(s.keys)
	return err
}

// features measures what calls cost whose sound something is done with.
func (l *lab) features(round int) error {
	all, err := features()
	if err != nil {
		return err
	}
	relay := 0.0
	for _, f := range all {
		l.tell("features, round %d of %d: %s", round, *rounds, f.name)
		s, told, err := l.featureGateway(f.secure)
		if err != nil {
			return err
		}
		cost, err := l.feature(s, f)
		l.end(s)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if f.name == plainRelay {
			relay = cost
		}
		if n := told.Load(); f.number == numberAMD && n > 0 {
			l.report.note("%d of %d detections ended before the measurement did", n, parties/2)
		}
		l.report.add(false, featureLine(f.name), relay)
		l.report.add(true, featureLine(f.name), cost)
	}
	return nil
}

// featureGateway starts a gateway with the applications for all this. told counts the
// verdicts of the machine detection.
func (l *lab) featureGateway(secure bool) (*subject, *atomic.Int64, error) {
	s, err := l.gateway()
	if err != nil {
		return nil, nil, err
	}
	told := new(atomic.Int64)
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { told.Add(1) }))
	l.t.Cleanup(web.Close)
	config, err := l.featureConfig(web.URL, secure)
	if err == nil {
		data := filepath.Join(filepath.Dir(s.log), "data")
		file := filepath.Join(filepath.Dir(s.log), "features.yaml")
		if err = os.WriteFile(file, []byte(config), 0o600); err == nil {
			_, err = command(l.binary, data, "config", "import", file)
		}
	}
	if err != nil {
		l.end(s)
		return nil, nil, err
	}
	return s, told, nil
}

func (l *lab) featureConfig(web string, secure bool) (string, error) {
	b, err := os.ReadFile(filepath.Join(filepath.Dir(l.template), "config.yaml"))
	if err != nil {
		return "", err
	}
	text := string(b)
	apps, numbers := "", ""
	add := func(n int, number, twiml string) {
		id := "AP" + fmt.Sprintf("%032d", 100+n)
		apps += fmt.Sprintf("- id: %s\n  account: %s\n  name: feature %d\n  script: {main: {}, fallback: {}, inline: '<Response><Dial>%s</Dial></Response>'}\n  status: {}\n", id, l.account, n, twiml)
		numbers += fmt.Sprintf("- number: %q\n  line: west\n  application: %s\n", number, id)
	}
	add(0, numberAMD, fmt.Sprintf(`<Number machineDetection="DetectMessageEnd" machineDetectionTimeout="60" amdStatusCallback="%s">+14155550199</Number>`, web))
	for i := range roomCount {
		add(i+1, fmt.Sprint(numberRooms, i), fmt.Sprintf(`<Conference beep="false">room %d</Conference>`, i))
	}
	trunk := "  codecs: [PCMU, PCMA, G722]\n"
	if secure {
		trunk += "  srtp: mandatory\n"
	}
	text = strings.Replace(text, "\napplications:\n", "\napplications:\n"+apps, 1)
	text = strings.Replace(text, "\nnumbers:\n- ", "\nnumbers:\n"+numbers+"- ", 1)
	return regexp.MustCompile(`(- name: (?:west|east)\n  host: \S+\n  port: \d+\n)`).ReplaceAllString(text, "${1}"+trunk), nil
}

// feature measures one: what 100 parties that talk cost, in percent of a core.
func (l *lab) feature(s *subject, f feature) (float64, error) {
	l.caller.dress(f.style[0])
	defer l.caller.dress(style{})
	var legs []leg
	var up []*outCall
	var err error
	if f.number == numberRooms {
		l.caller.aim(s.sip)
		for i := range roomCount {
			one, cerr := l.caller.connect(fmt.Sprint(numberRooms, i), roomSize)
			if cerr != nil {
				return 0, s.failure(cerr.Error())
			}
			for _, o := range one {
				legs = append(legs, leg{0, o.sound})
			}
			up = append(up, one...)
		}
	} else {
		l.calleeStyle = f.style[1]
		legs, up, err = l.connect(s, f.number, 0, parties/2)
		l.calleeStyle = style{}
	}
	if err != nil {
		return 0, err
	}
	t := &talk{ears: l.ears, legs: legs}
	for side, st := range f.style {
		if err := t.dress(side, st); err != nil {
			return 0, err
		}
	}
	t.begin()
	wait(featureTime)
	before, err := s.cpu()
	if err != nil {
		return 0, err
	}
	from, heard := time.Now(), t.arrived.Load()
	wait(time.Duration(*seconds) * time.Second)
	after, err := s.cpu()
	took, came := time.Since(from), t.arrived.Load()-heard
	if terr := t.end(); err == nil {
		err = terr
	}
	if err != nil {
		return 0, err
	}
	if want := took.Seconds() * 50 * float64(len(legs)); float64(came) < heardPart*want {
		return 0, s.failure(fmt.Sprintf("%d packets came of %.0f", came, want))
	}
	return 100 * float64(after-before) / float64(took) * 100 / parties, l.caller.hangup(up)
}
