package engine

import (
	"fmt"
	"strings"
	"time"

	"callbox/call"
)

const (
	// maxWarnings bounds Record.Warnings, maxWarning the bytes of each.
	maxWarnings = 20
	maxWarning  = 500
	// wholePatience is how long the final event waits for the call's recordings.
	wholePatience = 2 * time.Second
)

// tell publishes a status event and journals it; keep also writes the record.
func (c *live) tell(t call.EventType, keep bool) {
	c.r.Updated = c.e.cfg.Now()
	c.emit(call.Event{Type: t, At: c.r.Updated}, keep)
}

// emit gives ev its number and the present record, and sends it out.
func (c *live) emit(ev call.Event, keep bool) {
	ev.Seq = c.r.Seq
	c.r.Seq++
	c.publish()
	ev.Record = c.rec.Load()
	c.e.cfg.Publisher.Publish(ev)
	c.e.cfg.Journal.Append(ev, keep)
}

// tellEarly publishes and journals that the far end sends sound before its answer.
// It has no number of its own: those count the steps that every hook may be told of.
func (c *live) tellEarly() {
	c.r.Updated = c.e.cfg.Now()
	c.publish()
	ev := call.Event{Type: call.EventEarly, Seq: c.r.Seq, At: c.r.Updated, Record: c.rec.Load()}
	c.e.cfg.Publisher.Publish(ev)
	c.e.cfg.Journal.Append(ev, false)
}

// onFinal follows the move to a final state: the world sees it at once, the
// final event goes out when the recordings are whole, so that it can carry
// theirs.
func (c *live) onFinal() {
	c.mediaStats()
	c.publish()
	close(c.over)
	c.tellParent(childEnded)
	c.watch = nil
	c.uninvite()
	c.silenceTracks()
	for r := range c.recording.running {
		r.halt()
	}
	c.endStreams()
	if len(c.recording.running) == 0 {
		c.tellEnd()
		return
	}
	c.timers.end = time.NewTimer(wholePatience)
}

// tellEnd sends the final event, once, with the last recording.
func (c *live) tellEnd() {
	if c.ending.told {
		return
	}
	c.ending.told = true
	stop(&c.timers.end)
	c.emit(call.Event{Type: call.EventEnded, At: *c.r.Ended, Recording: c.recording.last}, !c.deleted.Load())
}

// note publishes an event that no status hook is told of. A warning also stays
// in the record.
func (c *live) note(t call.EventType, text string) {
	if t == call.EventWarning && len(c.r.Warnings) < maxWarnings {
		c.r.Warnings = append(c.r.Warnings, shorten(text))
		c.ending.amended = c.ending.told
		c.publish()
	}
	c.mention(t, text)
}

// mention publishes an event that leaves no trace in the record.
func (c *live) mention(t call.EventType, text string) {
	if c.ending.told {
		c.e.cfg.Logger.Info("after the end", "call", c.id, "event", string(t), "text", text)
		return
	}
	c.e.cfg.Publisher.Publish(call.Event{Type: t, At: c.e.cfg.Now(), Record: c.rec.Load(), Note: text})
}

// amend writes the record once more if something was added after its end: an
// action hook that could not be told of a hang-up, a recording that failed late.
func (c *live) amend() {
	if c.ending.amended && !c.deleted.Load() {
		c.e.cfg.Journal.Append(call.Event{Type: call.EventWarning, At: c.e.cfg.Now(), Record: c.rec.Load()}, true)
	}
}

// shorten cuts a sentence to maxWarning bytes of whole characters.
func shorten(s string) string {
	if len(s) <= maxWarning {
		return s
	}
	return strings.ToValidUTF8(s[:maxWarning-len("…")], "") + "…"
}

// mediaStats copies the leg's counters and the quality of its sound into the record.
func (c *live) mediaStats() {
	if s := c.sounding.Load(); s != nil {
		c.r.Media, c.r.Quality = s.media(), s.quality()
	}
	if m := c.r.Media; m.Refused >= refusedPackets && m.Refused > m.PacketsIn/10 && !c.ending.locked {
		c.ending.locked = true
		c.note(call.EventWarning, fmt.Sprintf("%d packets of the far end could not be opened, and %d could: it protects its sound with other keys than it has named, or not at all", m.Refused, m.PacketsIn))
	}
}

// refusedPackets is from how many packets on, half a second of sound, it is told that
// they could not be opened: repeated ones are refused too.
const refusedPackets = 25
