package document_test

import (
	"encoding/xml"
	"slices"
	"strings"
	"testing"

	"callbox/sip/document"
)

// read is a reader of dialog-info of the test's own, after RFC 4235 §4.3.
type read struct {
	XMLName xml.Name `xml:"urn:ietf:params:xml:ns:dialog-info dialog-info"`
	Version uint32   `xml:"version,attr"`
	State   string   `xml:"state,attr"`
	Entity  string   `xml:"entity,attr"`
	Dialogs []struct {
		ID        string `xml:"id,attr"`
		CallID    string `xml:"call-id,attr"`
		LocalTag  string `xml:"local-tag,attr"`
		RemoteTag string `xml:"remote-tag,attr"`
		Direction string `xml:"direction,attr"`
		State     string `xml:"state"`
		Remote    struct {
			Identity struct {
				Display string `xml:"display,attr"`
				URI     string `xml:",chardata"`
			} `xml:"identity"`
			Target struct {
				URI string `xml:"uri,attr"`
			} `xml:"target"`
		} `xml:"remote"`
	} `xml:"dialog"`
}

const bob = "sip:bob@biloxi.example"

var (
	rings  = document.Dialog{ID: "a", State: document.Early}
	talks  = document.Dialog{ID: "a", State: document.Confirmed}
	picked = document.Dialog{ID: "c", State: document.Early, Pick: document.Pick{CallID: `1"2@here`, LocalTag: "l", RemoteTag: "r", Target: "sip:bob@biloxi.example"}}
	places = document.Dialog{ID: "b", Initiator: true, State: document.Trying, Remote: "sip:alice@atlanta.example", RemoteName: `Alice "A" <&>`}
)

func TestDialogInfo(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		now, last []document.Dialog
		whole     bool
		want      []string // nil: no document
	}{
		"idle, whole":         {nil, nil, true, []string{"full"}},
		"idle, whole again":   {nil, []document.Dialog{rings}, true, []string{"full"}},
		"idle still":          {nil, nil, false, nil},
		"rings":               {[]document.Dialog{rings}, nil, false, []string{"partial", "a recipient early"}},
		"the same":            {[]document.Dialog{rings}, []document.Dialog{rings}, false, nil},
		"answers":             {[]document.Dialog{talks}, []document.Dialog{rings}, false, []string{"partial", "a recipient confirmed"}},
		"hangs up":            {nil, []document.Dialog{talks}, false, []string{"partial", "a recipient terminated"}},
		"one of two":          {[]document.Dialog{talks, places}, []document.Dialog{talks}, false, []string{"partial", "b initiator trying sip:alice@atlanta.example " + places.RemoteName}},
		"both, whole":         {[]document.Dialog{talks, places}, []document.Dialog{talks}, true, []string{"full", "a recipient confirmed", "b initiator trying sip:alice@atlanta.example " + places.RemoteName}},
		"one for the other":   {[]document.Dialog{places}, []document.Dialog{rings}, false, []string{"partial", "b initiator trying sip:alice@atlanta.example " + places.RemoteName, "a recipient terminated"}},
		"may be picked up":    {[]document.Dialog{picked}, []document.Dialog{picked}, true, []string{"full", `c recipient early 1"2@here l r sip:bob@biloxi.example`}},
		"whole after a fault": {[]document.Dialog{rings}, nil, true, []string{"full", "a recipient early"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := document.DialogInfo(bob, 7, tt.now, tt.last, tt.whole)
			if (b == nil) != (tt.want == nil) {
				t.Fatalf("document %q", b)
			}
			if b == nil {
				return
			}
			var d read
			if err := xml.Unmarshal(b, &d); err != nil {
				t.Fatalf("%v\n%s", err, b)
			}
			got := []string{d.State}
			for _, x := range d.Dialogs {
				line := x.ID + " " + x.Direction + " " + x.State
				if x.Remote.Identity.URI != "" {
					line += " " + x.Remote.Identity.URI + " " + x.Remote.Identity.Display
				}
				if x.CallID != "" {
					line += " " + x.CallID + " " + x.LocalTag + " " + x.RemoteTag + " " + x.Remote.Target.URI
				}
				got = append(got, line)
			}
			if d.Version != 7 || d.Entity != bob || !slices.Equal(got, tt.want) {
				t.Errorf("version %d of %s: %q, want %q\n%s", d.Version, d.Entity, got, tt.want, b)
			}
		})
	}
}

// TestDialogInfoText holds the form that phones with simple parsers know.
func TestDialogInfoText(t *testing.T) {
	t.Parallel()
	got := string(document.DialogInfo(bob, 0, []document.Dialog{rings}, nil, true))
	want := `<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="sip:bob@biloxi.example">` +
		`<dialog id="a" direction="recipient"><state>early</state></dialog></dialog-info>` + "\n"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestControlCharacters: what XML cannot hold is left out, and the document is read.
func TestControlCharacters(t *testing.T) {
	t.Parallel()
	b := document.DialogInfo("sip:\x00bob\r\n", 1, []document.Dialog{{ID: "a\x01", State: document.Early, Remote: "sip:\xff", RemoteName: "\x1b[1m"}}, nil, true)
	var d read
	if err := xml.Unmarshal(b, &d); err != nil || d.Entity != "sip:bob" || d.Dialogs[0].Remote.Identity.Display != "[1m" {
		t.Errorf("%v %+v", err, d)
	}
}

func TestMessageSummary(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		account string
		m       document.Messages
		want    string
	}{
		{"", document.Messages{}, "Messages-Waiting: no\r\nVoice-Message: 0/0 (0/0)\r\n"},
		{bob, document.Messages{New: 2, Old: 8, UrgentOld: 2}, "Messages-Waiting: yes\r\nMessage-Account: sip:bob@biloxi.example\r\nVoice-Message: 2/8 (0/2)\r\n"},
		{"", document.Messages{Old: 3}, "Messages-Waiting: no\r\nVoice-Message: 0/3 (0/0)\r\n"},
		{"sip:x\r\nInjected: y", document.Messages{New: 1, UrgentNew: 1}, "Messages-Waiting: yes\r\nMessage-Account: sip:xInjected: y\r\nVoice-Message: 1/0 (1/0)\r\n"},
	} {
		if got := string(document.MessageSummary(tt.account, tt.m)); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.m, got, tt.want)
		}
	}
	if strings.Contains(string(document.MessageSummary("\n", document.Messages{})), "Account") {
		t.Error("an empty account is told")
	}
}
