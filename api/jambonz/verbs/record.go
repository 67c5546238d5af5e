package verbs

import (
	"callbox/api/jambonz/shape"
	"callbox/call"
	"callbox/call/script"
)

// RecordProps are the properties that say what to do with the recording of a call,
// in config and in a change of a call.
var RecordProps = shape.Props{
	"action": {Type: shape.Text, Need: true, Enum: []string{"startCallRecording", "stopCallRecording", "pauseCallRecording", "resumeCallRecording"}},
	"type":   {Type: shape.Text, Enum: []string{"siprec", "cloud"}}, "recordingID": {Type: shape.Text},
	"siprecServerURL": {Type: shape.Text | shape.List}, "headers": {Type: shape.Map},
}

// recordActs are what can be done with a recording.
var recordActs = map[string]string{
	"pauseCallRecording": call.RecordingPaused, "resumeCallRecording": call.RecordingRunning, "stopCallRecording": call.RecordingStopped,
}

// maxRecording is the longest name of a recording in bytes.
const maxRecording = 128

// Recording reads what is to be done with the recording of a call, an object that
// was checked against RecordProps.
func Recording(o shape.Object) (call.RecordingChange, error) {
	ch := call.RecordingChange{ID: o.Text("recordingID"), Status: recordActs[o.Text("action")]}
	if len(ch.ID) > maxRecording {
		return ch, o.Refuse("recordingID", "is longer than %d bytes", maxRecording)
	}
	if ch.Status == "" {
		ch.Start = &call.RecordOptions{Channels: 2, Source: "StartCallRecordingAPI", Name: ch.ID}
	}
	return ch, nil
}

// recording reads what config does with the recording of the call.
func (d *decoder) recording(o shape.Object) ([]script.Verb, error) {
	if !o.Has("record") {
		return nil, nil
	}
	r := o.Object("record")
	ch, err := Recording(r)
	if err != nil {
		return nil, err
	}
	if ch.Start != nil && r.Text("type") != "cloud" && (r.Has("siprecServerURL") || r.Text("type") == "siprec") {
		d.warn(r.Path + " has no effect: the box does not speak SIPREC, it keeps recordings itself with the type cloud")
		return nil, nil
	}
	return []script.Verb{script.Recorder{Verb: "config", Change: ch}}, nil
}
