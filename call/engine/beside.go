package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media"
	"callbox/media/session"
)

// beside is what requests have set up on a call beside its script; it belongs to
// the call's goroutine.
type beside struct {
	tracks   map[string]*track
	keys     *crossing // on their way to the far end; nil before the first
	messages int       // of the far end that were told
}

// track is a call's track.
type track struct {
	level int
	stop  context.CancelFunc // ends what it plays; nil before the first
	done  chan struct{}      // closed when that has ended; nil before the first
}

// mayChangeSound says why what ch asks of the sound cannot be done.
func (c *live) mayChangeSound(ch call.Change) error {
	if ch.Muted == nil && ch.Loudness == nil && ch.Keys == nil && ch.Tell == nil && len(ch.Tracks) == 0 {
		return nil
	}
	if c.r.State != call.InProgress || c.sess == nil {
		return fmt.Errorf("%w: it has not been answered", call.ErrWrongState)
	}
	made := 0
	for name := range c.beside.tracks {
		if name != "" {
			made++
		}
	}
	for _, t := range ch.Tracks {
		_, there := c.beside.tracks[t.Name]
		switch {
		case t.Name == "":
		case t.Act != call.TrackAdd && !there:
			return fmt.Errorf("%w: it has no track %q", call.ErrWrongState, t.Name)
		case t.Act == call.TrackAdd && there:
			return fmt.Errorf("%w: it has a track %q already", call.ErrWrongState, t.Name)
		case t.Act == call.TrackAdd && made >= call.MaxTracks:
			return fmt.Errorf("%w: it has %d tracks already, the most there can be", call.ErrWrongState, made)
		case t.Act == call.TrackAdd:
			made++
		}
	}
	return nil
}

// changeSound does what mayChangeSound has allowed.
func (c *live) changeSound(ch call.Change) {
	if ch.Muted != nil {
		c.sess.SetMuted(*ch.Muted)
	}
	if ch.Loudness != nil {
		c.sess.SetLoudness(levelOf(*ch.Loudness))
	}
	if ch.Keys != nil {
		if c.beside.keys == nil {
			c.beside.keys = &crossing{ctx: context.Background(), to: c} // the end of the call ends it
		}
		for _, d := range []byte(ch.Keys.Keys) {
			c.beside.keys.press(d, ch.Keys.Length)
		}
	}
	for _, t := range ch.Tracks {
		c.changeTrack(t)
	}
	if m := ch.Tell; m != nil {
		c.e.tasks.Go(func() { c.tellFarEnd(*m) })
	}
}

// tellFarEnd sends a request whose answer nobody waits for.
func (c *live) tellFarEnd(m call.SIPMessage) {
	res, err := c.e.Tell(context.Background(), c.account, c.id, m)
	switch {
	case errors.Is(err, call.ErrEnded):
	case err != nil:
		control{c: c}.Tell(call.EventWarning, m.Method+" could not be sent: "+err.Error())
	case res.Status >= 300:
		control{c: c}.Tell(call.EventWarning, fmt.Sprintf("the far end answered %s with %d %s", m.Method, res.Status, res.Reason))
	}
}

// levelOf turns dB into a level of media/session.
func levelOf(dB float64) int {
	return int(math.Round(256 * math.Pow(10, min(max(dB, call.MinLoudness), call.MaxLoudness)/20)))
}

// changeTrack makes, changes or removes a track.
func (c *live) changeTrack(t call.Track) {
	x := c.beside.tracks[t.Name]
	if x == nil {
		if x = (&track{level: levelOf(0)}); c.beside.tracks == nil {
			c.beside.tracks = map[string]*track{}
		}
		c.beside.tracks[t.Name] = x
	}
	if t.Act == call.TrackAdd && t.Loudness != nil {
		x.level = levelOf(*t.Loudness)
	}
	before := x.done
	if x.stop != nil {
		x.stop()
	}
	switch {
	case t.Act == call.TrackRemove:
		delete(c.beside.tracks, t.Name)
		return
	case t.Act == call.TrackSilence || len(t.Sounds) == 0:
		return
	}
	level := x.level
	if t.Loudness != nil {
		level = levelOf(*t.Loudness)
	}
	ctx, stop := context.WithCancel(context.Background())
	done, sess := make(chan struct{}), c.sess
	x.stop, x.done = stop, done
	c.e.tasks.Go(func() { // ended by stop and by the end of the call
		defer close(done)
		defer stop()
		if before != nil {
			<-before // it was told to end
		}
		sound{control{c: c}}.playBeside(ctx, sess, t, level)
	})
}

// silenceTracks ends what plays beside a call that has ended.
func (c *live) silenceTracks() {
	for _, x := range c.beside.tracks {
		if x.stop != nil {
			x.stop()
		}
	}
}

// playBeside plays the sounds of a track. One that cannot be had ends it.
func (k sound) playBeside(ctx context.Context, sess *session.Session, t call.Track, level int) {
	rounds := t.Loop
	if rounds <= 0 || rounds > script.MaxLoops {
		rounds = script.MaxLoops
	}
	from := prompts{k.c.e.cfg.Prompts, k.c}
	for range rounds {
		began := time.Now()
		for _, s := range t.Sounds {
			if err := k.oneBeside(ctx, sess, from, s, level); err != nil {
				if !over(ctx, err) {
					k.Tell(call.EventWarning, "cannot play beside the call: "+err.Error())
				}
				return
			}
		}
		if time.Since(began) < media.FrameDuration {
			return // nothing in it: another round would be the same
		}
	}
}

// errBesideFull says that a session has no place for another clip.
var errBesideFull = errors.New("too many sounds play beside it at once")

// oneBeside plays one sound to its end.
func (k sound) oneBeside(ctx context.Context, sess *session.Session, from script.Prompts, s call.Sound, level int) error {
	var clip media.Clip
	var err error
	if s.URL != "" {
		clip, err = from.Open(ctx, s.URL)
	} else {
		clip, err = from.Speak(ctx, script.Speech{Text: s.Text, Voice: s.Voice, Language: s.Language, Vendor: s.Vendor})
	}
	if err != nil {
		return err
	}
	defer k.indoors(ctx)()
	p, ok := sess.Beside(clip, level)
	if !ok {
		clip.Close() //nolint:errcheck // it was never played; the refusal counts
		return errBesideFull
	}
	return k.played(ctx, p)
}

// tellTime bounds a request within a call: RFC 3261 gives one 32 s.
const tellTime = 35 * time.Second

// Tell sends the far end of a call a request within it, and gives the answer. The
// error is or wraps call.ErrNotFound, call.ErrEnded, or call.ErrWrongState where
// the call is not answered or not one by SIP.
func (e *Engine) Tell(ctx context.Context, account, id string, m call.SIPMessage) (call.SIPResponse, error) {
	c := e.find(account, id)
	if c == nil {
		if _, err := e.cfg.Journal.Call(ctx, account, id); err != nil {
			return call.SIPResponse{}, err
		}
		return call.SIPResponse{}, call.ErrEnded
	}
	return c.signal(ctx, m)
}

// maxMessages is how many requests of the far end one call tells.
const maxMessages = 1000

// onMessage tells a request of the far end.
func (c *live) onMessage(m *call.SIPMessage) {
	if c.notified != nil {
		c.notified(m)
	}
	if c.beside.messages++; c.beside.messages > maxMessages {
		if c.beside.messages == maxMessages+1 {
			c.note(call.EventWarning, fmt.Sprintf("the far end has sent %d requests within the call; further ones are not told", maxMessages))
		}
		return
	}
	ev := call.Event{Type: call.EventMessage, At: c.e.cfg.Now(), Record: c.rec.Load(), Message: m}
	c.e.cfg.Publisher.Publish(ev)
	c.e.cfg.Journal.Append(ev, false)
}
