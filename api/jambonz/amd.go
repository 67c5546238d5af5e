package jambonz

import (
	"math"

	"callbox/api"
	"callbox/api/jambonz/js"
	"callbox/call"
)

// stages are the results of machine detection as this dialect tells them: by
// type, and by the older event and amd_type (call-api.md §4).
var stages = map[string]struct{ typ, event, amdType string }{
	"human":               {"amd_human_detected", "amd", "human"},
	"machine_start":       {"amd_machine_detected", "amd", "machine"},
	"fax":                 {"amd_machine_detected", "amd", "machine"},
	"machine_end_beep":    {"amd_tone_detected", "beep", ""},
	"machine_end_silence": {"amd_machine_stopped_speaking", "silence", ""},
	"machine_end_other":   {"amd_machine_stopped_speaking", "silence", ""},
}

// machineCallback is the message about a result of machine detection.
func (d *Dialect) machineCallback(ev call.Event) []api.Outgoing {
	rec := *ev.Record
	if rec.AMD == nil || rec.AMD.Status.IsZero() {
		return nil
	}
	result := rec.AnsweredBy
	if ev.Type == call.EventMachinePartial {
		result = ev.Note
	}
	s, ok := stages[result]
	if !ok {
		s.typ = "amd_decision_timeout"
		if rec.MachineTime < rec.AMD.Timeout {
			s.typ = "amd_no_speech_detected"
		}
	}
	var o js.Object
	o.Text("type", s.typ)
	o.Some("event", s.event)
	o.Some("amd_type", s.amdType)
	switch result {
	case "human":
		o.Text("reason", "short greeting")
	case "machine_start":
		o.Text("reason", "long greeting")
	case "fax":
		o.Text("reason", "fax")
	}
	if ev.Tone > 0 {
		o.Number("frequency", math.Round(ev.Tone))
	}
	for _, m := range d.common(rec).Members() {
		o.Add(m.Name, m.Value)
	}
	out := d.outgoing(rec.AMD.Status, rec, o)
	out.Token = eventToken(rec, ev)
	out.Call = rec.ID
	list := []api.Outgoing{out}
	if ev.Type == call.EventMachine {
		var stopped js.Object
		stopped.Text("type", "amd_stopped")
		for _, m := range d.common(rec).Members() {
			stopped.Add(m.Name, m.Value)
		}
		out = d.outgoing(rec.AMD.Status, rec, stopped)
		ev.Note = "stopped"
		out.Token = eventToken(rec, ev)
		list = append(list, out)
	}
	return list
}
