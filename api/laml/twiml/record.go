package twiml

import (
	"net/http"

	"callbox/call"
	"callbox/call/script"
)

// record decodes a Record.
func (d *decoder) record(n *node) script.Verb {
	a := d.attributes(n, recordAttrs)
	maxLength := 3600
	transcript, wanted := a.transcript()
	if wanted {
		maxLength = 120
	}
	return script.Record{
		Action:      a.action(13610),
		Timeout:     a.seconds("timeout", 5, 0, 14400, 13611),
		FinishOnKey: a.keys("finishOnKey", "1234567890*#", 13613),
		Beep:        a.boolean("playBeep", true, 13616),
		Options: call.RecordOptions{
			Channels:  1,
			Track:     call.TrackInbound,
			Trim:      a.choice("trim", 13699, "trim-silence", "do-not-trim") == "trim-silence",
			MaxLength: a.seconds("maxLength", maxLength, 1, 14400, 13612),
			Source:    "RecordVerb",
			Status:    a.status("recordingStatusCallback", RecordingEvents, 13610), Transcript: transcript,
		},
	}
}

// transcript reads whether a Record is to be turned into text, and who waits for
// that. It is not: whoever waits is told so once the recording is whole.
func (a attrs) transcript() (h call.Hook, wanted bool) {
	s := a.values["transcribeCallback"]
	if !a.boolean("transcribe", false, 13614) {
		if s != "" {
			a.d.warn(a.n, codeUnsupported, "transcribeCallback of <Record> has no effect without transcribe")
		}
		return call.Hook{}, false
	}
	a.d.warn(a.n, codeUnsupported, "transcription of <Record> is not available on this box")
	if s == "" {
		return call.Hook{}, true
	}
	return call.Hook{URL: a.d.resolve(a.n, "transcribeCallback", s), Method: http.MethodPost}, true
}
