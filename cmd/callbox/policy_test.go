package main

import (
	"crypto/sha256"
	"strings"
	"testing"

	"callbox/api"
	"callbox/api/twilio"
	"callbox/call"
	"callbox/call/script"
	"callbox/storage/config"
)

// office is a configuration with one of everything.
func office() config.Snapshot {
	return config.Snapshot{
		Country:  "US",
		Accounts: []config.Account{{ID: "AC1", Name: "box", Token: "t"}},
		Applications: []config.Application{
			{ID: "AP1", Account: "AC1", Name: "front door", Script: call.ScriptSource{Main: call.Hook{URL: "http://app.example/voice"}},
				Status: call.StatusHook{Hook: call.Hook{URL: "http://app.example/status"}}},
			{ID: "AP2", Account: "AC1", Name: "desk", Script: call.ScriptSource{Main: call.Hook{URL: "http://app.example/desk"}}},
		},
		Trunks: []config.Trunk{{Name: "provider", Host: "sip.biloxi.example"}},
		Users:  []config.User{{Name: "alice", Password: "p", Number: "201"}, {Name: "bob", Password: "p", Application: "AP2"}},
		Phones: []config.Phone{{Port: "fxs1", Name: "reception", Number: "301"}},
		Routes: []config.Route{{Name: "outside", Prefix: "+1", Lines: []string{"provider"}}},
		Numbers: []config.Number{
			{Number: "+14155550100", Application: "AP1"},
			{Number: "+14155550101", Target: "alice"},
			{Number: "+1415555011*", Line: "provider", Target: "sip:dave@192.0.2.9"},
			{Number: "+14155550102", Application: "AP9"},
		},
	}.WithDefaults()
}

func TestInboundPlan(t *testing.T) {
	snap := office()
	p := &inbound{api: twilio.Name}
	p.snap.Store(&snap)
	for name, tc := range map[string]struct {
		info   call.LegInfo
		app    string // application that runs
		target string // who is connected
		kind   script.TargetKind
		refuse int // SIP status
	}{
		"a number's application":       {info: call.LegInfo{Line: "provider", Kind: call.Trunk, To: "+14155550100"}, app: "AP1"},
		"written otherwise":            {info: call.LegInfo{Line: "provider", Kind: call.Trunk, To: "4155550100"}, app: "AP1"},
		"a number's target":            {info: call.LegInfo{Line: "provider", Kind: call.Trunk, To: "+14155550101"}, target: "alice"},
		"a prefix to a SIP URI":        {info: call.LegInfo{Line: "provider", Kind: call.Trunk, To: "+14155550117"}, target: "sip:dave@192.0.2.9", kind: script.ToSIP},
		"a prefix of another line":     {info: call.LegInfo{Line: "other", Kind: call.Trunk, To: "+14155550117"}, refuse: 404},
		"an application that is gone":  {info: call.LegInfo{Line: "provider", Kind: call.Trunk, To: "+14155550102"}, refuse: 500},
		"a trunk cannot dial out":      {info: call.LegInfo{Line: "provider", Kind: call.Trunk, To: "+442071838750"}, refuse: 404},
		"a trunk reaches no extension": {info: call.LegInfo{Line: "provider", Kind: call.Trunk, To: "alice"}, refuse: 404},
		"a phone dials an extension":   {info: call.LegInfo{Line: "fxs1", Kind: call.FXS, To: "201"}, target: "201"},
		"a user dials a name":          {info: call.LegInfo{Line: "alice", Kind: call.User, To: "bob"}, target: "bob"},
		"a user with an application":   {info: call.LegInfo{Line: "bob", Kind: call.User, To: "999"}, app: "AP2"},
	} {
		plan := p.Plan(tc.info)
		if plan.Account != "AC1" || plan.API != twilio.Name {
			t.Errorf("%s: account %q, dialect %q", name, plan.Account, plan.API)
		}
		switch {
		case tc.refuse != 0:
			if plan.Refuse == nil || plan.Refuse.SIP != tc.refuse || plan.Refuse.Text == "" {
				t.Errorf("%s: refused with %+v, want %d", name, plan.Refuse, tc.refuse)
			}
		case tc.app != "":
			if plan.Application != tc.app || plan.Script.IsZero() || plan.Why == "" {
				t.Errorf("%s: %+v", name, plan)
			}
		default:
			if plan.Document == nil {
				t.Errorf("%s: %+v", name, plan)
				continue
			}
			d := plan.Document.Verbs[0].(*script.DialVerb).Dial
			if d.Targets[0].To != tc.target || d.Targets[0].Kind != tc.kind || !d.AnswerOnBridge {
				t.Errorf("%s: %+v", name, d)
			}
		}
	}
}

// TestInboundSuspended: the applications of a suspended account answer no calls; its
// phones go on calling each other.
func TestInboundSuspended(t *testing.T) {
	snap := office()
	snap.Accounts[0].Suspended = true
	p := &inbound{api: twilio.Name}
	p.snap.Store(&snap)
	plan := p.Plan(call.LegInfo{Line: "provider", Kind: call.Trunk, To: "+14155550100"})
	if plan.Refuse == nil || plan.Refuse.SIP != 403 || !strings.Contains(plan.Refuse.Text, "account AC1, which is suspended") {
		t.Errorf("%+v", plan.Refuse)
	}
	if plan := p.Plan(call.LegInfo{Line: "fxs1", Kind: call.FXS, To: "201"}); plan.Refuse != nil || plan.Document == nil {
		t.Errorf("%+v", plan)
	}
}

func TestRouter(t *testing.T) {
	r := &router{}
	if err := r.set(office(), []string{"sip", "provider", "alice", "bob", "fxs1", "fxs2"}, true); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		target script.Target
		line   string
		fails  bool
	}{
		"outside":             {target: script.Target{To: "+14155550123"}, line: "provider"},
		"by client name":      {target: script.Target{Kind: script.ToUser, To: "alice"}, line: "alice"},
		"with its prefix":     {target: script.Target{Kind: script.ToUser, To: "client:alice"}, line: "alice"},
		"by bare name":        {target: script.Target{To: "bob"}, line: "bob"},
		"by a user's number":  {target: script.Target{To: "201"}, line: "alice"},
		"by a phone's number": {target: script.Target{To: "301"}, line: "fxs1"},
		"by a phone's name":   {target: script.Target{Kind: script.ToUser, To: "Reception"}, line: "fxs1"},
		"a port without name": {target: script.Target{To: "fxs2"}, line: "fxs2"},
		"a SIP URI":           {target: script.Target{Kind: script.ToSIP, To: "sip:dave@192.0.2.9"}, line: "sip"},
		"a named line":        {target: script.Target{To: "5550199", Line: "provider"}, line: "provider"},
		"nobody":              {target: script.Target{Kind: script.ToUser, To: "carol"}, fails: true},
		"no route":            {target: script.Target{To: "+442071838750"}, fails: true},
		"an unknown line":     {target: script.Target{To: "5550199", Line: "none"}, fails: true},
	} {
		got, err := r.Route(tc.target, "")
		if tc.fails {
			if c := call.CauseOf(err); err == nil || c.Text == "" || c.Who == call.Nobody {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
			continue
		}
		if err != nil || got.Attempts[0].Line != tc.line || got.Why == "" {
			t.Errorf("%s: %+v, %v; want line %s", name, got, err, tc.line)
		}
	}
	if why := strings.Join(r.explain("+14155550123"), " "); !strings.Contains(why, "outside") {
		t.Errorf("explain: %s", why)
	}
}

func TestRoutesOfUnknownLines(t *testing.T) {
	r := &router{}
	snap := office()
	snap.Routes = append(snap.Routes, config.Route{Name: "lost", Prefix: "+33", Lines: []string{"nowhere"}})
	if err := r.set(snap, []string{"sip", "provider"}, true); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("a route to a line that does not exist: %v", err)
	}
	if err := r.set(snap, []string{"sip", "provider"}, false); err != nil {
		t.Errorf("a board without the line must not stop the box: %v", err)
	}
}

func TestAccounts(t *testing.T) {
	snap := office()
	snap.Accounts[0].Keys = []config.Key{{ID: "SK1", Secret: config.HashSecret("s")}}
	a := &accounts{}
	a.snap.Store(&snap)
	if x, ok := a.Account("AC1"); !ok || x.Token != "t" || x.Keys["SK1"] != sha256.Sum256([]byte("s")) {
		t.Errorf("%+v %v", x, ok)
	}
	if _, ok := a.Account("AC2"); ok {
		t.Error("an unknown account was found")
	}
	if x, ok := a.Application("AC1", "AP1"); !ok || x.Script.Main.URL == "" {
		t.Errorf("%+v %v", x, ok)
	}
	if _, ok := a.Application("AC2", "AP1"); ok {
		t.Error("another account's application was found")
	}
	for _, named := range []string{api.TrunkID("BY", "provider"), api.TrunkID("TK", "provider"), "provider"} {
		if l, ok := a.Line("AC1", named); !ok || l != "provider" {
			t.Errorf("%s: %q %v", named, l, ok)
		}
	}
	if _, ok := a.Line("AC1", "BY00000000000000000000000000000000"); ok {
		t.Error("an unknown trunk was found")
	}
}

func TestTrunkConfig(t *testing.T) {
	snap := office()
	tr := snap.Trunks[0]
	tr.Inbound = []string{"192.0.2.0/24", "2001:db8::1"}
	got, err := trunkConfig(tr, snap)
	if err != nil || got.Host != "sip.biloxi.example" || len(got.Allow) != 2 || got.Allow[1].Bits() != 128 {
		t.Errorf("%+v, %v", got, err)
	}
	tr.Port, tr.Inbound = 5080, []string{"biloxi"}
	if got, err = trunkConfig(tr, snap); err == nil || got.Host != "sip.biloxi.example:5080" {
		t.Errorf("%+v, %v", got, err)
	}
	// A port that nobody wrote stays open until the line looks for SRV records
	// (RFC 3263 §4.2); one that somebody wrote stands, also the default.
	for _, transport := range []string{"", config.UDP, config.TCP, config.TLS} {
		for port, want := range map[int]string{0: "sip.biloxi.example", 5060: "sip.biloxi.example:5060", 5061: "sip.biloxi.example:5061"} {
			snap := config.Snapshot{Trunks: []config.Trunk{{Name: "provider", Host: "sip.biloxi.example", Port: port, Transport: transport}}}.WithDefaults()
			if got, err := trunkConfig(snap.Trunks[0], snap); err != nil || got.Host != want {
				t.Errorf("%s port %d: host %q, %v, want %q", transport, port, got.Host, err, want)
			}
		}
	}
	tr.Inbound, tr.Host = nil, "2001:db8::7"
	for port, want := range map[int]string{0: "[2001:db8::7]", 5080: "[2001:db8::7]:5080"} {
		tr.Port = port
		if got, err = trunkConfig(tr, snap); err != nil || got.Host != want || got.Validate() != nil {
			t.Errorf("port %d: host %q, %v, want %q", port, got.Host, err, want)
		}
	}
}

// TestPrices asks what calls cost by the routes that they would take.
func TestPrices(t *testing.T) {
	snap := office()
	snap.Routes = append([]config.Route{{Name: "mobile", Prefix: "+1415", Lines: []string{"provider"}, Price: 75}}, snap.Routes...)
	r := &router{}
	if err := r.set(snap, []string{"provider", "alice", "bob", "fxs1"}, true); err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]int64{
		"+14155550123": 75, "4155550123": 75, "+12125550123": 0, "client:alice": 0, "201": 0, "sip:dave@192.0.2.9": 0, "911": 0, "": 0,
	} {
		if got := r.PerMinute(to, ""); got != want {
			t.Errorf("%q costs %d, want %d", to, got, want)
		}
	}
}

// TestInboundDialect runs an application in the language that it speaks.
func TestInboundDialect(t *testing.T) {
	snap := office()
	snap.Applications[0].API = "signalwire"
	p := &inbound{api: twilio.Name}
	p.snap.Store(&snap)
	if plan := p.Plan(call.LegInfo{Line: "provider", Kind: call.Trunk, To: "+14155550100"}); plan.API != "signalwire" || plan.Application != "AP1" {
		t.Errorf("plan: %+v", plan)
	}
}

// TestDialects makes ids in every form, and finds every dialect by its name.
func TestDialects(t *testing.T) {
	d := newDialects(nil, &accounts{})
	for name, length := range map[string]int{"twilio": 34, "signalwire": 36, "restcomm": 34, "": 34, "nobody's": 34} {
		if id := d.newID(name, "call"); len(id) != length {
			t.Errorf("%q: id %q", name, id)
		}
	}
	for _, x := range d.all() {
		if d.of(x.Name()) != x {
			t.Errorf("%s is not found by its name", x.Name())
		}
	}
}
