package twiml

import (
	"net/url"
	"strconv"
	"strings"

	"callbox/call"
	"callbox/call/script"
)

// StreamTracks are the tracks of a stream.
var StreamTracks = map[string]call.RecordTrack{
	"inbound_track": call.TrackInbound, "outbound_track": call.TrackOutbound, "both_tracks": call.TrackBoth,
}

// The codes of streams (call-api.md §1.5).
const (
	codeStreamURL   Code = 31922
	codeStreamTrack Code = 31941
)

// The attributes of the verbs around streams and of their nouns.
var (
	connectAttrs = map[string]bool{"action": true, "method": true}
	startAttrs   = map[string]bool{"action": false, "method": false}
	streamAttrs  = map[string]bool{
		"url": true, "name": true, "track": true, "statusCallback": true, "statusCallbackMethod": true,
		"codec": true, "authBearerToken": true, "realtime": true, // it always is
		"connectorName": false, "statusCallbackEvent": false,
	}
	recordingAttrs = map[string]bool{
		"name": true, "track": true, "channels": true, "trim": true, "recordingStatusCallback": true,
		"recordingStatusCallbackMethod": true, "recordingStatusCallbackEvent": true, "recordingConfigurationId": false,
	}
	stopAttrs = map[string]bool{"name": true}
)

// codecs are the rates of linear samples that a stream may ask for instead of
// µ-law.
var codecs = map[string]int{"pcmu@8000h": 0, "pcmu": 0, "l16@8000h": 8000, "l16@16000h": 16000, "l16@24000h": 24000}

// BadStreamURL says what is wrong with the address of a stream, to finish
// "Url …"; empty when it is good. Besides wss ws is good: the box lives on a LAN.
func BadStreamURL(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || strings.ContainsAny(s, " \t\r\n") || len(s) > maxLink:
		return "is not a URL of at most " + strconv.Itoa(maxLink) + " bytes"
	case u.Scheme != "wss" && u.Scheme != "ws":
		return "is not an absolute wss or ws address"
	case u.Hostname() == "":
		return "has no host"
	case u.RawQuery != "" || u.ForceQuery:
		return "has a query; hand values on as parameters instead"
	}
	return BadURL("http" + strings.TrimPrefix(s, u.Scheme))
}

// only is the only element of n that table knows, nil when there is none.
func (d *decoder) only(n *node, known ...string) *node {
	var found *node
	for _, k := range n.elements() {
		ok := false
		for _, name := range known {
			ok = ok || name == k.name
		}
		switch {
		case !ok && streamNouns[k.name] != "":
			d.warn(k, codeUnsupported, "<%s> of <%s> is not available on this box: %s", k.name, n.name, streamNouns[k.name])
		case !ok:
			d.warn(k, codeUnknown, "<%s> cannot stand in <%s> and was skipped", clip(k.name), n.name)
		case found != nil:
			d.warn(k, codeUnknown, "<%s> holds more than one thing; <%s> was skipped", n.name, k.name)
		default:
			found = k
		}
	}
	return found
}

// streamNouns are what the cloud's Start, Stop and Connect know besides, and why
// the box does not.
var streamNouns = map[string]string{
	"Siprec":             "calls are recorded on the box itself, see <Recording>",
	"Transcription":      "there is no recogniser",
	"ConversationRelay":  "there are no assistants; use <Stream>",
	"VirtualAgent":       "there are no assistants; use <Stream>",
	"Autopilot":          "there are no assistants; use <Stream>",
	"Conversation":       "there are no conversations",
	"Room":               "there are no video rooms",
	"AI":                 "there are no assistants; use <Stream>",
	"HttpStream":         "sound is streamed over websockets, see <Stream>",
	"ConversationSignal": "there are no conversations",
}

// start decodes a Start: what goes on beside the document.
func (d *decoder) start(n *node) script.Verb {
	d.attributes(n, startAttrs)
	k := d.only(n, "Stream", "Recording")
	switch {
	case k == nil:
		return nil
	case k.name == "Recording":
		return d.startRecording(k)
	}
	o, ok := d.stream(k)
	if !ok {
		return nil
	}
	o.Source = n.name
	return script.StartStream{Options: o}
}

// startRecording decodes a Recording of a Start.
func (d *decoder) startRecording(n *node) script.Verb {
	a := d.attributes(n, recordingAttrs)
	o := &call.RecordOptions{
		Channels: 2,
		Name:     a.text("name", ""),
		Track:    call.RecordTrack(a.choice("track", codeUnknown, "both", "inbound", "outbound")),
		Trim:     a.choice("trim", 13699, "trim-silence", "do-not-trim") == "trim-silence",
		Status:   a.status("recordingStatusCallback", RecordingEvents, 13610),
	}
	if a.choice("channels", codeUnknown, "dual", "mono") == "mono" {
		o.Channels = 1
	}
	return script.Recorder{Verb: "start", Change: call.RecordingChange{Start: o}}
}

// stop decodes a Stop.
func (d *decoder) stop(n *node) script.Verb {
	d.attributes(n, nil)
	k := d.only(n, "Stream", "Recording")
	if k == nil {
		return nil
	}
	name := d.attributes(k, stopAttrs).text("name", "")
	if name == "" {
		d.warn(k, codeUnknown, "<%s> of <Stop> has no name and was skipped", k.name)
		return nil
	}
	if k.name == "Recording" {
		return script.Recorder{Verb: "stop", Change: call.RecordingChange{ID: name, Status: call.RecordingStopped}}
	}
	return script.StopStream{Stream: name}
}

// connect decodes a Connect of a stream, in both directions.
func (d *decoder) connect(n *node) script.Verb {
	a := d.attributes(n, connectAttrs)
	k := d.only(n, "Stream")
	if k == nil {
		return nil
	}
	o, ok := d.stream(k)
	if !ok {
		return nil
	}
	if o.Track != call.TrackInbound {
		d.warn(k, codeStreamTrack, "a <Stream> of <Connect> carries the inbound track only")
		o.Track = call.TrackInbound
	}
	o.Source, o.TwoWay, o.Keys = n.name, true, true
	v := script.Connect{Verb: "connect", Options: o}
	if a.values["action"] != "" {
		v.Action = a.hook("action", "method", codeUnknown)
	}
	return v
}

// stream decodes a Stream; ok is false when it was skipped.
func (d *decoder) stream(n *node) (o call.StreamOptions, ok bool) {
	a := d.attributes(n, streamAttrs)
	o = call.StreamOptions{
		URL: a.text("url", ""), Name: a.text("name", ""), Bearer: a.text("authBearerToken", ""),
		Track: StreamTracks[a.choice("track", codeStreamTrack, "inbound_track", "outbound_track", "both_tracks")],
	}
	if a.values["statusCallback"] != "" {
		o.Status.Hook = a.hook("statusCallback", "statusCallbackMethod", codeUnknown)
	}
	if c, given := a.values["codec"]; given {
		rate, known := codecs[strings.ToLower(c)]
		if !known {
			d.warn(n, codeUnknown, "codec=%q of <Stream> is none of PCMU@8000h, L16@8000h, L16@16000h, L16@24000h; PCMU@8000h is used", clip(c))
		}
		o.Rate = rate
	}
	for _, k := range n.elements() {
		if k.name != "Parameter" {
			d.warn(k, codeUnknown, "<%s> cannot stand in <Stream> and was skipped", clip(k.name))
			continue
		}
		p := d.attributes(k, paramAttrs)
		if p.values["name"] == "" || !CleanText(p.values["name"]+p.values["value"]) {
			d.warn(k, codeUnknown, "a parameter without a name, or with control characters, was skipped")
			continue
		}
		o.Parameters = append(o.Parameters, call.Parameter{Name: p.values["name"], Value: p.values["value"]})
	}
	if why := BadStreamURL(o.URL); why != "" {
		d.warn(n, codeStreamURL, "the url of <Stream> %s; it was skipped", why)
		return o, false
	}
	return o, true
}
