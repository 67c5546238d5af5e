package document

import (
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
)

// DialogInfoType is the media type of [DialogInfo] (RFC 4235 §7.1).
const DialogInfoType = "application/dialog-info+xml"

// State is where a dialog stands (RFC 4235 §3.7.1).
type State string

// The states that a line can tell apart.
const (
	Trying     State = "trying"     // being placed, nothing rings yet
	Early      State = "early"      // it rings
	Confirmed  State = "confirmed"  // they talk
	Terminated State = "terminated" // it is over
)

// Dialog is one call of the line that is watched.
type Dialog struct {
	ID        string // unique among the line's dialogs
	Initiator bool   // the watched party placed it; else it was called
	State     State
	// Remote is the other party's address as a URI, RemoteName its name; empty: not
	// told.
	Remote, RemoteName string
	// Pick is how another telephone may take the call's place; the zero value: it
	// may not.
	Pick Pick
}

// Pick names a dialog for a Replaces header (RFC 3891), as the watched party knows
// it: the local tag is its own.
type Pick struct {
	CallID, LocalTag, RemoteTag string
	Target                      string // the URI that is called with it
}

// The XML of RFC 4235 §4.3.
type dialogInfo struct {
	XMLName xml.Name  `xml:"urn:ietf:params:xml:ns:dialog-info dialog-info"`
	Version string    `xml:"version,attr"`
	State   string    `xml:"state,attr"`
	Entity  string    `xml:"entity,attr"`
	Dialogs []element `xml:"dialog"`
}

type element struct {
	ID        string       `xml:"id,attr"`
	CallID    string       `xml:"call-id,attr,omitempty"`
	LocalTag  string       `xml:"local-tag,attr,omitempty"`
	RemoteTag string       `xml:"remote-tag,attr,omitempty"`
	Direction string       `xml:"direction,attr"`
	State     stateElement `xml:"state"`
	Remote    *party       `xml:"remote"`
}

// stateElement may say why a dialog ended; which of the reasons of §3.7.1 it was
// the box does not tell.
type stateElement struct {
	Text string `xml:",chardata"`
}

type party struct {
	Identity *identity `xml:"identity"`
	Target   *target   `xml:"target"`
}

type target struct {
	URI string `xml:"uri,attr"`
}

type identity struct {
	Display string `xml:"display,attr,omitempty"`
	URI     string `xml:",chardata"`
}

// DialogInfo is the document with a version number about the dialogs of entity, a
// URI. With whole it tells all of now; else only in what now differs from last,
// where those that are gone are terminated, and nil when it does not differ.
func DialogInfo(entity string, version uint32, now, last []Dialog, whole bool) []byte {
	doc := dialogInfo{Version: strconv.FormatUint(uint64(version), 10), State: "full", Entity: plain(entity)}
	if !whole {
		doc.State = "partial"
		now = changes(now, last)
		if len(now) == 0 {
			return nil
		}
	}
	for _, d := range now {
		doc.Dialogs = append(doc.Dialogs, d.element())
	}
	b, err := xml.Marshal(doc)
	if err != nil {
		return nil // never: the types above can all be written
	}
	return append([]byte(xml.Header), append(b, '\n')...)
}

// changes lists what of now is not as it was in last, then what is gone.
func changes(now, last []Dialog) []Dialog {
	var out []Dialog
	for _, d := range now {
		if !slices.Contains(last, d) {
			out = append(out, d)
		}
	}
	for _, d := range last {
		if !slices.ContainsFunc(now, func(n Dialog) bool { return n.ID == d.ID }) {
			d.State = Terminated
			out = append(out, d)
		}
	}
	return out
}

func (d Dialog) element() element {
	e := element{ID: plain(d.ID), Direction: "recipient", State: stateElement{Text: string(d.State)}}
	if d.Initiator {
		e.Direction = "initiator"
	}
	var remote party
	if d.Remote != "" {
		remote.Identity = &identity{Display: plain(d.RemoteName), URI: plain(d.Remote)}
	}
	if p := d.Pick; p != (Pick{}) {
		e.CallID, e.LocalTag, e.RemoteTag = plain(p.CallID), plain(p.LocalTag), plain(p.RemoteTag)
		remote.Target = &target{plain(p.Target)}
	}
	if remote != (party{}) {
		e.Remote = &remote
	}
	return e
}

// plain is text without what XML cannot hold (XML 1.0 §2.2).
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0xFFFE || r == 0xFFFF {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
