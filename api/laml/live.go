package laml

import (
	"net/http"
	"strconv"
	"strings"

	"callbox/api"
	"callbox/api/laml/twiml"
	"callbox/call"
)

// Requests that steer what goes on beside a live call: its recordings and its
// streams (call-api.md §2.4).

var (
	_ api.RecordControlShape = rest{}
	_ api.StreamShape        = rest{}
)

// current stands for a call's recording that was started last and still runs.
const current = "Twilio.CURRENT"

// maxParameters is how many parameters a stream may hand on.
const maxParameters = 99

// liveRoutes are the paths of a live call's recordings and streams.
func liveRoutes(p Profile, plain []string) []route {
	var list []route
	if p.Tables.StartStream != nil {
		list = append(list,
			route{path: "Calls/{call}/Streams", suffixes: plain, acts: map[string]act{
				"POST": func(s rest, w http.ResponseWriter, q *api.Request) { s.h.StartStream(w, q, s) },
				"GET":  rest.listStreams,
			}},
			route{path: "Calls/{call}/Streams/{item}", suffixes: plain, acts: map[string]act{
				"GET":  rest.fetchStream,
				"POST": func(s rest, w http.ResponseWriter, q *api.Request) { s.h.StopStream(w, q, s) },
			}})
	}
	return list
}

// ReadRecording reads how to record a live call.
func (s rest) ReadRecording(q *api.Request) (call.RecordOptions, error) {
	v, err := s.readTable(q, s.p.Tables.StartRecording)
	if err != nil {
		return call.RecordOptions{}, err
	}
	return recordOptions(v), nil
}

// tapes reads requests for recordings of conferences, which have one channel.
type tapes struct{ rest }

// ReadRecording reads how to record a conference.
func (s tapes) ReadRecording(q *api.Request) (call.RecordOptions, error) {
	v, err := s.readTable(q, conferenceTape(s.p.Tables.StartRecording))
	if err != nil {
		return call.RecordOptions{}, err
	}
	return recordOptions(v), nil
}

// conferenceTape are the parameters of a recording of a conference, where those of
// one of a call are table.
func conferenceTape(table []Param) []Param {
	return With(table, Param{Name: "RecordingChannels", Kind: Ignored}, Param{Name: "RecordingTrack", Kind: Ignored})
}

// ReadRecordingChange reads what to do with a recording of a live call.
func (s rest) ReadRecordingChange(q *api.Request) (call.RecordingChange, error) {
	v, err := s.readTable(q, s.p.Tables.UpdateRecording)
	ch := call.RecordingChange{ID: q.Recording, Status: v.Text("Status"), Silence: v.Text("Status") == call.RecordingPaused && v.Text("PauseBehavior") != "skip"}
	if strings.EqualFold(ch.ID, current) {
		ch.ID = ""
	}
	return ch, err
}

// WriteRecordingState answers with a recording of a live call.
func (s rest) WriteRecordingState(w http.ResponseWriter, q *api.Request, r call.Recording, created bool) {
	status := http.StatusOK
	if created {
		status = s.p.CreatedStatus
	}
	s.write(w, q.Request, Answer{status, "Recording", s.recordingItem(q, r)})
}

// recordingAudio answers with the sound of a recording.
func (s rest) recordingAudio(w http.ResponseWriter, q *api.Request) {
	channels := 0
	if !s.p.Formats.OpenSound { // one that anybody may fetch is what it is
		form, err := parseForm(q.URL.RawQuery)
		if err == nil {
			var v Values
			v, _, err = readValues(form, requestedChannels)
			channels = v.Int("RequestedChannels", 0)
		}
		if err != nil {
			s.WriteError(w, q.Request, err)
			return
		}
	}
	s.h.RecordingAudio(w, q, s, channels)
}

// requestedChannels is the parameter of a request for a recording's sound.
var requestedChannels = []Param{{Name: "RequestedChannels", Kind: Integer, Min: 1, Max: 2}}

// ReadStream reads where to carry a live call's sound to.
func (s rest) ReadStream(q *api.Request) (call.StreamOptions, error) {
	v, err := s.readTable(q, s.p.Tables.StartStream)
	if err != nil {
		return call.StreamOptions{}, err
	}
	o := call.StreamOptions{
		URL: v.Text("Url"), Name: v.Text("Name"), Track: twiml.StreamTracks[v.Text("Track")], Source: "Start",
		Status: call.StatusHook{Hook: call.Hook{URL: v.Text("StatusCallback"), Method: v.Text("StatusCallbackMethod")}},
	}
	if o.Track == "" {
		o.Track = call.TrackInbound
	}
	if !o.Status.IsZero() {
		o.Status.Method = v.method("StatusCallbackMethod")
	}
	for n := range maxParameters {
		name, value := parameterNames(n + 1)
		if v.Has(name) {
			o.Parameters = append(o.Parameters, call.Parameter{Name: v.Text(name), Value: v.Text(value)})
		}
	}
	return o, nil
}

// ReadStreamStop checks a request that ends a stream.
func (s rest) ReadStreamStop(q *api.Request) error {
	_, err := s.readTable(q, stopStreamParams)
	return err
}

// stopStreamParams are the parameters of the end of a stream.
var stopStreamParams = []Param{{Name: "Status", Kind: Choice, Enum: []string{"stopped"}, Required: CodeInvalid}}

// WriteStream answers with a stream.
func (s rest) WriteStream(w http.ResponseWriter, q *api.Request, x call.Stream, created bool) {
	status := http.StatusOK
	if created {
		status = s.p.CreatedStatus
	}
	s.write(w, q.Request, Answer{status, "Stream", s.streamItem(x)})
}

func (s rest) streamItem(x call.Stream) any {
	return s.p.Shapes.Stream.render(streamFields, viewOf(s.Dialect, x, x.Account, "/Calls/"+x.Call+"/Streams/"+x.ID))
}

// listStreams answers with the streams of a call that run.
func (s rest) listStreams(w http.ResponseWriter, q *api.Request) {
	list, err := s.h.Live.Streams(q.Context(), q.Account.ID, q.Call)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	writeFiltered(s, w, q, streamFilters, "Stream", "streams", list, func(Values, call.Stream) bool { return true }, s.streamItem)
}

// streamFilters are the filters of a list of streams: there are none.
var streamFilters = WithPaging()

// fetchStream answers with a stream of a call that runs, by its id or name.
func (s rest) fetchStream(w http.ResponseWriter, q *api.Request) {
	list, err := s.h.Live.Streams(q.Context(), q.Account.ID, q.Call)
	for _, x := range list {
		if x.ID == q.Item || x.Name == q.Item {
			s.write(w, q.Request, Answer{http.StatusOK, "Stream", s.streamItem(x)})
			return
		}
	}
	if err == nil {
		err = call.ErrNoStream
	}
	s.WriteError(w, q.Request, err)
}

var _ api.StreamDialect = (*Dialect)(nil)

// OpenStream says how the application of a stream is met (call-api.md §5.5).
func (d *Dialect) OpenStream(_ call.Stream, rec call.Record) api.StreamOpening {
	o := api.StreamOpening{Account: d.sid(rec.Account), Version: d.p.Messages.StreamVersion, KeyLengths: d.p.Messages.KeyLengths, Signed: true}
	if o.Version == "" {
		o.Version = "1.0.0"
	}
	return o
}

// streamEvents are the events of streams that hooks are told of.
var streamEvents = map[call.EventType]bool{call.EventStreamStarted: true, call.EventStreamStopped: true, call.EventStreamError: true}

// streamCallback is the message about the beginning or the end of a stream.
func (d *Dialect) streamCallback(ev call.Event) []api.Outgoing {
	if ev.Stream.Status.IsZero() || !streamEvents[ev.Type] {
		return nil
	}
	var f Form
	f.Add("AccountSid", d.sid(ev.Stream.Account))
	f.Add("CallSid", ev.Stream.Call)
	f.Add("StreamSid", ev.Stream.ID)
	f.Some("StreamName", ev.Stream.Name)
	f.Add("StreamEvent", string(ev.Type))
	if ev.Type == call.EventStreamError {
		f.Add("StreamError", ev.Stream.Error)
		if ev.Stream.ErrorCode != 0 {
			f.Add("StreamErrorCode", strconv.Itoa(ev.Stream.ErrorCode))
		}
	}
	f.Add("Timestamp", ev.At.UTC().Format("2006-01-02T15:04:05.000Z"))
	o := d.outgoing(ev.Stream.Status.Hook, *ev.Record, f)
	o.Token = eventToken(ev.Stream.ID, string(ev.Type))
	return []api.Outgoing{o}
}
