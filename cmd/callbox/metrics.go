package main

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/VictoriaMetrics/metrics"
)

// metric is one figure of the gateway. The usual library for Prometheus' text format
// would make the binary a tenth larger.
type metric struct {
	name, help string
	kind       string // "gauge" or "counter"
	labels     string // `port="gsm1"`, as in the format; empty: none
	value      float64
}

// write appends it in Prometheus' text format 0.0.4; head says that it is the first of
// its name.
func (m metric) write(b *bytes.Buffer, head bool) {
	if head {
		fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n", m.name, m.help, m.name, m.kind)
	}
	if b.WriteString(m.name); m.labels != "" {
		fmt.Fprintf(b, "{%s}", m.labels)
	}
	fmt.Fprintf(b, " %v\n", m.value)
}

// metrics serves the gateway's figures, and those of the process, in Prometheus'
// format.
func (a *app) metrics() http.Handler {
	type figure struct {
		metric
		f func() float64
	}
	var figures []figure
	gauge := func(name, help string, f func() float64) {
		figures = append(figures, figure{metric{name: "callbox_" + name, help: help, kind: "gauge"}, f})
	}
	counter := func(name, help string, f func() float64) {
		figures = append(figures, figure{metric{name: "callbox_" + name, help: help, kind: "counter"}, f})
	}
	gauge("calls", "Legs under control now.", func() float64 { return float64(a.engine.Stats().Live) })
	counter("calls_refused_total", "Calls that were not admitted.", func() float64 {
		s := a.engine.Stats()
		return float64(s.RefusedLimit + s.RefusedBacklog + s.RefusedStopping)
	})
	counter("toll_refused_total", "Calls that the toll guards refused.", func() float64 { return float64(a.tolls.Refused()) })
	gauge("sip_bans", "Addresses, and users at an address, that get no answer on SIP now.", func() float64 { return float64(len(a.stack.Bans())) })
	counter("sip_panics_total", "Panics survived while a SIP message or timer was handled.", func() float64 { return float64(a.stack.Counters().Panics) })
	counter("sip_bans_total", "Bans for wrong SIP passwords.", func() float64 { return float64(a.stack.Counters().Bans) })
	counter("sip_auth_failures_total", "Wrong answers to SIP challenges.", func() float64 { return float64(a.stack.Counters().AuthFailures) })
	gauge("sip_subscriptions", "Lamps and message counts that telephones watch now.", func() float64 { return float64(a.stack.Counters().Subscriptions) })
	counter("sip_challenges_total", "SIP challenges sent.", func() float64 { return float64(a.stack.Counters().Challenges) })
	counter("sip_strangers_total", "SIP requests of strangers, which got no answer.", func() float64 { return float64(a.stack.Counters().Strangers) })
	counter("sip_over_budget_total", "SIP messages of strangers beyond what their address may ask for.", func() float64 { return float64(a.stack.Counters().OverBudget) })
	gauge("rtp_ports_busy", "RTP port pairs held by calls.", func() float64 { return float64(a.ports.Stats().Busy) })
	gauge("rtp_ports_draining", "RTP port pairs that wait for late packets.", func() float64 { return float64(a.ports.Stats().Draining) })
	counter("clock_ticks_total", "Ticks of the media clock.", func() float64 { return float64(a.clock.Stats().Ticks) })
	counter("clock_late_total", "Ticks that began a period or more late.", func() float64 { return float64(a.clock.Stats().Late) })
	counter("clock_skipped_total", "Ticks that were never done.", func() float64 { return float64(a.clock.Stats().Skipped) })
	gauge("mos_worst", "Worst estimated score (G.107, 1 to 4.5) of the sound that comes from the far ends of calls now, 0 without calls.", func() float64 { return a.engine.SoundStats().WorstMOS })
	gauge("mos_mean", "Mean of these scores.", func() float64 { return a.engine.SoundStats().MeanMOS })
	counter("media_packets_total", "RTP packets received.", func() float64 { return float64(a.engine.SoundStats().Packets) })
	counter("media_lost_total", "RTP packets that did not come.", func() float64 { return float64(a.engine.SoundStats().Lost) })
	counter("media_late_total", "RTP packets that came too late to be heard.", func() float64 { return float64(a.engine.SoundStats().Late) })
	counter("media_concealed_total", "Frames made up in place of lost ones.", func() float64 { return float64(a.engine.SoundStats().Concealed) })
	counter("media_dropped_total", "Frames thrown away because a queue was full.", func() float64 { return float64(a.engine.SoundStats().Dropped) })
	counter("media_refused_total", "Packets of protected sound that could not be opened.", func() float64 { return float64(a.engine.SoundStats().Refused) })
	counter("media_clipped_total", "Samples of far ends that were cut off at full scale.", func() float64 { return float64(a.engine.SoundStats().Clipped) })
	gauge("storage_backlog", "Writes that wait for the disk.", func() float64 { return float64(a.store.Backlog()) })
	counter("webhooks_delivered_total", "Callbacks that were answered with success.", func() float64 { return float64(a.deliver.Stats().Delivered) })
	counter("webhooks_repeated_total", "Attempts that failed and are repeated.", func() float64 { return float64(a.deliver.Stats().Repeated) })
	counter("webhooks_given_up_total", "Callbacks that were given up.", func() float64 { return float64(a.deliver.Stats().GivenUp) })
	counter("sound_hits_total", "Sounds of applications that were played without being fetched again.", func() float64 { return float64(a.hooks.SoundStats().Hits) })
	counter("sound_stale_total", "Of these, those whose server did not answer.", func() float64 { return float64(a.hooks.SoundStats().Stale) })
	gauge("sound_bytes", "Memory of the sounds of applications that are kept.", func() float64 { return float64(a.hooks.SoundStats().Bytes) })
	gauge("webhooks_down", "Receivers that do not answer.", func() float64 { return float64(len(a.deliver.Stats().Down)) })
	gauge("conferences", "Conferences that are going on.", func() float64 { return float64(a.engine.Rooms().Stats().Conferences) })
	gauge("conference_parties", "Calls in conferences.", func() float64 { return float64(a.engine.Rooms().Stats().Parties) })
	gauge("queues", "Queues.", func() float64 { return float64(a.engine.Rooms().Stats().Queues) })
	gauge("queue_waiting", "Calls that wait in queues.", func() float64 { return float64(a.engine.Rooms().Stats().Waiting) })
	counter("conference_keys_lost_total", "Shared keys that a party could not be sent in time.", func() float64 { return float64(a.engine.Rooms().Stats().LostKeys) })
	gauge("streams", "Streams of calls' sound to applications now.", func() float64 { return float64(a.engine.StreamStats().Running) })
	counter("streams_failed_total", "Streams that ended because their application could not be reached, or was lost.", func() float64 { return float64(a.engine.StreamStats().Failed) })
	counter("stream_frames_lost_total", "Frames of sound that an application did not take in time.", func() float64 { return float64(a.engine.StreamStats().Lost.Frames) })
	counter("stream_frames_unheard_total", "Frames of sound that an application sent too much of.", func() float64 { return float64(a.engine.StreamStats().Lost.Played) })
	gauge("websockets", "Applications that are asked over a websocket now.", func() float64 { return float64(a.sockets.Stats().Sessions) })
	counter("websockets_reconnected_total", "Connections to such applications in place of lost ones.", func() float64 { return float64(a.sockets.Stats().Reconnected) })
	counter("websockets_dropped_total", "Notifications to such applications that found their queue full.", func() float64 { return float64(a.sockets.Stats().Dropped) })
	counter("websockets_refused_total", "Messages of such applications that could not be heeded.", func() float64 { return float64(a.sockets.Stats().Refused) })
	counter("speech_failed_total", "Texts and recognitions that speech vendors failed at.", func() float64 { return float64(a.vendors.Stats().Failed) })
	counter("speech_dropped_total", "Frames of sound that a recogniser did not take in time.", func() float64 { return float64(a.vendors.Stats().Dropped) })
	gauge("trace_bytes", "Memory of the trace of the newest calls.", func() float64 { return float64(a.trace.Stats().Bytes) })
	counter("trace_dropped_total", "Entries of the trace that made room for newer ones.", func() float64 { return float64(a.trace.Stats().Dropped) })
	gauge("capture_bytes", "Memory of the newest packets of sound.", func() float64 { return float64(a.sound.Stats().Bytes) })
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var b bytes.Buffer
		for _, x := range figures {
			x.value = x.f()
			x.write(&b, true)
		}
		for _, m := range a.boardMetrics() {
			m.write(&b, true)
		}
		last := ""
		for _, m := range a.modemMetrics() {
			m.write(&b, m.name != last)
			last = m.name
		}
		metrics.WriteProcessMetrics(&b)
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write(b.Bytes()) // who asked has gone
	})
}
