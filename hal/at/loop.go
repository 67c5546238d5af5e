package at

import (
	"fmt"
	"time"
)

// How the engine finds its way back after a command's time has run out.
const (
	syncWait  = 5 * time.Second        // for the answer to AT
	syncTries = 2                      // AT without an answer before the modem counts as silent
	syncQuiet = 300 * time.Millisecond // without a line after it: nothing more comes
	leaveWait = 2 * time.Second        // for the end of sound
	guardTime = 200 * time.Millisecond // around DLE sequences (V.253 §8.1)
	drainMax  = 3 * time.Second        // for sound to stop
)

// state is what the loop is at.
type state int

const (
	idle      state = iota // nothing is asked
	waiting                // a command is in flight
	syncing                // AT was sent to find the way back, or to see who is there
	streaming              // sound passes
	leaving                // sound has ended, its final code comes
	escaping               // a voice modem is being called back from sound
)

// loop decides. All of it is owned by one goroutine, run.
type loop struct {
	e     *Engine
	state state
	timer *time.Timer
	split splitter
	queue [priorities][]*job
	cur   *job // in flight, or what a resync is for
	lines []string
	pair  bool // the next line of digits belongs to the last information line

	twin *URC // its second line has not come yet
	lost int  // URCs dropped since the last one handed over

	stale  Command // whose time has run out; the last one
	tries  int     // AT sent so far
	heard  bool    // a final code came while syncing
	probe  bool    // syncing only to see whether the modem is there
	steps  int     // of escaping
	until  time.Time
	stream *Stream
}

func newLoop(e *Engine) *loop {
	l := &loop{e: e, timer: time.NewTimer(time.Hour), split: splitter{shield: e.cfg.Voice}}
	l.rest()
	return l
}

// run is the engine's goroutine.
func (l *loop) run(reading <-chan struct{}) {
	e := l.e
	for l.step() {
	}
	l.timer.Stop()
	_ = e.port.Close()
	<-reading
	l.twinned("")
	close(e.urcs)
	l.endStream()
	for _, j := range append([]*job{l.cur}, l.waiting()...) {
		if j != nil {
			j.reply <- result{err: e.Err()}
		}
	}
	close(e.done)
}

// step does one thing; false when the engine has ended.
func (l *loop) step() bool {
	e := l.e
	select {
	case <-e.stop: // before anything else that is ready
		return false
	default:
	}
	select {
	case <-e.stop:
		return false
	case b := <-e.in:
		l.bytes(b)
		select {
		case e.taken <- struct{}{}:
		case <-e.stop:
		}
	case err := <-e.gone:
		e.end(fmt.Errorf("the modem's port is gone: %w", err))
	case j := <-e.ask:
		l.enqueue(j)
	case j := <-e.cancel:
		l.drop(j)
	case d := <-e.quit:
		if d.s == l.stream {
			l.leave(d.code)
		}
	case <-l.timer.C:
		l.expired()
	}
	l.next()
	return true
}

func (l *loop) waiting() []*job {
	var list []*job
	for _, p := range order {
		list = append(list, l.queue[p]...)
	}
	return list
}

func (l *loop) enqueue(j *job) {
	if len(l.waiting()) >= maxQueued {
		l.e.count(func(s *Stats) { s.Refused++ })
		j.reply <- result{err: ErrQueueFull}
		return
	}
	l.queue[j.cmd.Priority] = append(l.queue[j.cmd.Priority], j)
}

// drop forgets a job whose caller has gone.
func (l *loop) drop(j *job) {
	if j == l.cur {
		j.left = true
		if j.cmd.Abort != "" && l.state == waiting {
			l.send(j.cmd.Abort, j.cmd.Abort)
		}
		return
	}
	q := l.queue[j.cmd.Priority]
	for i := range q {
		if q[i] == j {
			l.queue[j.cmd.Priority] = append(q[:i:i], q[i+1:]...)
			return
		}
	}
	if j.stream != nil && j.stream == l.stream { // it began just now
		l.leave(duplexEnd)
	}
}

// next starts what waits when nothing is in flight.
func (l *loop) next() {
	if l.state != idle {
		return
	}
	for _, p := range order {
		if len(l.queue[p]) == 0 {
			continue
		}
		j := l.queue[p][0]
		l.queue[p] = l.queue[p][1:]
		l.start(j)
		return
	}
}

func (l *loop) start(j *job) {
	l.cur, l.lines, l.pair = j, nil, false
	if j.resync {
		l.escape()
		return
	}
	l.state = waiting
	l.split.asked = j.cmd.Payload != ""
	l.arm(j.cmd.timeout())
	l.e.count(func(s *Stats) { s.Commands++ })
	l.send(j.cmd.Text+"\r", j.cmd.name())
}

// finish ends the command in flight.
func (l *loop) finish(r Response, err error) {
	j := l.cur
	l.cur, l.lines, l.pair, l.split.asked = nil, nil, false, false
	if j != nil {
		j.reply <- result{r: r, err: err}
	}
}

// rest waits for something to do.
func (l *loop) rest() {
	l.state = idle
	l.stale, l.probe = Command{}, false
	if l.e.cfg.Probe > 0 {
		l.arm(l.e.cfg.Probe)
	} else {
		l.timer.Stop()
	}
}

func (l *loop) arm(d time.Duration) { l.timer.Reset(d) }

func (l *loop) send(text, shown string) {
	if err := l.e.send(text, shown); err != nil {
		l.e.end(err)
	}
}

// expired is what happens when the time of the state has run out.
func (l *loop) expired() {
	switch l.state {
	case idle:
		l.e.count(func(s *Stats) { s.Probes++ })
		l.probe = true
		l.sync()
	case waiting:
		l.e.count(func(s *Stats) { s.Timeouts++ })
		l.stale = l.cur.cmd
		prompted := l.cur.cmd.Payload != ""
		if prompted && !l.cur.sent {
			l.finish(Response{}, fmt.Errorf("%w: %w", ErrPrompt, ErrTimeout))
		} else {
			l.finish(Response{}, ErrTimeout)
		}
		if prompted { // or AT would be taken for text
			l.send(escape, escape)
		}
		l.sync()
	case syncing:
		l.synced()
	case streaming, leaving: // the modem did not say that its sound has ended
		l.endStream()
		l.escape()
	case escaping:
		l.escaped()
	}
}

// sync asks AT until the modem answers and is quiet.
func (l *loop) sync() {
	l.state, l.tries, l.heard = syncing, 1, false
	l.arm(syncWait)
	l.send("AT\r", "AT")
}

// synced goes on when the time of a sync has run out.
func (l *loop) synced() {
	switch {
	case l.heard:
		l.rest()
		if l.cur != nil { // a resync was asked for
			l.finish(Response{Final: OK}, nil)
		}
	case l.tries >= syncTries:
		l.e.end(ErrSilent)
	default:
		l.tries++
		l.arm(syncWait)
		l.send("AT\r", "AT")
	}
}

// escape calls a modem back from sound; one that has none is asked AT at once.
func (l *loop) escape() {
	if !l.e.cfg.Voice {
		l.sync()
		return
	}
	l.state, l.steps = escaping, 0
	l.until = time.Now().Add(drainMax)
	l.escaped()
}

// escaped takes the next step of an escape, each a guard time after the last.
func (l *loop) escaped() {
	l.arm(guardTime)
	switch l.steps++; l.steps {
	case 1:
		l.send("\x10\x03", "\x10\x03")
	case 2:
		l.send("\x10^", "\x10^")
	case 3:
		l.send("\r", "\r")
	default: // it was quiet for a guard time
		l.split.take()
		l.sync()
	}
}

// bytes takes what the port said.
func (l *loop) bytes(b []byte) {
	if l.state == idle && l.e.cfg.Probe > 0 {
		l.arm(l.e.cfg.Probe)
	}
	for len(b) > 0 {
		switch l.state {
		case streaming:
			var ended bool
			if b, ended = l.stream.feed(b); ended {
				l.state = leaving
				l.arm(leaveWait)
			}
		case escaping: // sound, or its end
			if l.steps >= 3 && time.Now().Before(l.until) {
				l.arm(guardTime)
			}
			return
		default:
			t, rest, ok := l.split.feed(b)
			if b = rest; ok {
				l.token(t)
			}
		}
	}
	if n := l.split.cut; n > 0 {
		l.split.cut = 0
		l.e.count(func(s *Stats) { s.Cut += n })
	}
}

func (l *loop) token(t token) {
	switch {
	case t.code != 0:
		l.urc(URC{Code: t.code})
	case t.prompt:
		l.e.trace(Entry{Text: "> "})
		if l.state == waiting && l.cur.cmd.Payload != "" && !l.cur.sent {
			l.cur.sent = true
			shown := l.cur.cmd.Payload
			if l.cur.cmd.Secret {
				shown = masked
			}
			l.send(l.cur.cmd.Payload+ctrlZ, shown+ctrlZ)
		}
	default:
		l.line(t.line)
	}
}

// line gives the line to whom it belongs.
func (l *loop) line(s string) {
	shown := s
	if l.cur != nil && l.cur.cmd.Secret {
		shown = concealed(s)
	}
	l.e.trace(Entry{Text: shown})
	if l.twinned(s) || l.echo(s) {
		return
	}
	f, detail, isFinal := final(s)
	switch l.state {
	case waiting:
		l.answer(s, f, detail, isFinal)
	case syncing:
		l.find(s, f, isFinal)
	case leaving:
		if isFinal {
			l.stream.final = f
			l.endStream()
			l.rest()
			return
		}
		l.urc(URC{Line: s})
	default:
		if isFinal && !f.ofCalls() {
			l.e.count(func(s *Stats) { s.Late++ })
			return
		}
		l.urc(URC{Line: s})
	}
}

// echo reports whether the line is what we wrote, sent back (V.250 §6.2.4).
func (l *loop) echo(s string) bool {
	if s == "AT" || l.stale.Text != "" && s == l.stale.Text {
		return true
	}
	if l.state != waiting {
		return false
	}
	return s == l.cur.cmd.Text || l.cur.sent && s == l.cur.cmd.Payload
}

// answer is for a line while a command is in flight.
func (l *loop) answer(s string, f Final, detail string, isFinal bool) {
	cmd := &l.cur.cmd
	switch {
	case isFinal && (!f.ofCalls() || cmd.Class == Dial || l.cur.stream != nil):
		l.ended(Response{Lines: l.lines, Final: f, Detail: detail})
	case l.pair && isHex(s):
		l.pair = false
		l.keep(s)
	case cmd.answers(s), cmd.Any && !startsWith(s, unsolicited) && !startsWith(s, l.e.cfg.Unsolicited):
		l.pair = cmd.Pairs
		l.keep(s)
	default:
		l.urc(URC{Line: s})
	}
}

func (l *loop) keep(s string) {
	if len(l.lines) >= maxLines {
		l.e.count(func(s *Stats) { s.Cut++ })
		return
	}
	l.lines = append(l.lines, s)
}

// ended ends the command in flight as its final code says.
func (l *loop) ended(r Response) {
	j, err := l.cur, failure(r.Final, r.Detail)
	if err == nil && j.cmd.Payload != "" && !j.sent {
		err = ErrPrompt
	}
	if err == nil && j.stream != nil {
		if r.Final != Connect {
			l.rest()
			l.finish(r, ErrNoStream)
			return
		}
		l.state, l.stream = streaming, j.stream
		l.stream.begin()
		l.timer.Stop()
		l.finish(r, nil)
		if j.left { // nobody would end it, and commands wait for that
			l.leave(duplexEnd)
		}
		return
	}
	l.rest()
	l.finish(r, err)
}

// find is for a line while the engine finds its way back.
func (l *loop) find(s string, f Final, isFinal bool) {
	switch {
	case isFinal && (!f.ofCalls() || l.stale.Class == Dial):
		if l.heard || l.stale.Text != "" {
			l.e.count(func(s *Stats) { s.Late++ })
		}
		l.heard = true
		if l.probe {
			l.rest()
			return
		}
		l.arm(syncQuiet)
	case l.stale.Text != "" && (l.stale.answers(s) || (l.stale.Any || l.stale.Pairs && isHex(s)) && !startsWith(s, unsolicited)):
		l.e.count(func(s *Stats) { s.Late++ })
		if l.heard {
			l.arm(syncQuiet)
		}
	default:
		l.urc(URC{Line: s})
	}
}

// leave asks the modem to end the sound.
func (l *loop) leave(code byte) {
	l.e.write.Lock()
	defer l.e.write.Unlock()
	if !l.stream.live {
		return
	}
	l.stream.live = false
	l.arm(leaveWait)
	l.e.trace(Entry{Out: true, Text: string([]byte{dle, code})})
	if _, err := l.e.port.Write([]byte{dle, code}); err != nil {
		l.e.end(fmt.Errorf("write to the modem: %w", err))
	}
}

// endStream closes the sound, if there is any.
func (l *loop) endStream() {
	if l.stream == nil {
		return
	}
	l.e.write.Lock()
	l.stream.live = false
	l.e.write.Unlock()
	l.stream.close()
	l.stream = nil
}
