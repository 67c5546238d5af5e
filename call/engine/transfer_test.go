package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/call/toll"
)

// wishes is a far end that wants a transfer, as it is told what becomes of it.
type wishes struct {
	silent bool

	mu      sync.Mutex
	steps   []int // 202 for Accept
	refused int
}

func (r *wishes) Silent() bool { return r.silent }

func (r *wishes) Accept() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.steps) > 0 || r.refused != 0 {
		return errors.New("answered already")
	}
	r.steps = append(r.steps, 202)
	return nil
}

func (r *wishes) Refuse(status int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.steps) > 0 || r.refused != 0 {
		return errors.New("answered already")
	}
	r.refused = status
	return nil
}

func (r *wishes) Progress(status int, _ string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps = append(r.steps, status)
}

// want checks what the far end was told.
func (r *wishes) want(t *testing.T, refused int, steps ...int) {
	t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused != refused || !slices.Equal(r.steps, steps) {
		t.Errorf("the far end that wants a transfer was told %v and refused with %d, want %v and %d", r.steps, r.refused, steps, refused)
	}
}

// wants lets the far end of l want a transfer to a target, as a phone does.
func (l *farLeg) wants(to string) *wishes {
	r := &wishes{}
	l.emit(call.LegEvent{Type: call.LegTransfer, Transfer: &call.Transfer{To: to, URI: "sip:" + to + "@box.example", Trusted: true, Reply: r,
		Headers: []call.Header{{Name: "Refer-To", Value: "<sip:" + to + "@box.example>"}, {Name: "Referred-By", Value: "<sip:boss@box.example>"}}}})
	return r
}

// joins lets the far end of l want its partner connected with that of other.
func (l *farLeg) joins(other *farLeg) *wishes {
	r := &wishes{}
	l.emit(call.LegEvent{Type: call.LegTransfer, Transfer: &call.Transfer{To: "box", URI: "sip:box", Trusted: true, Reply: r, Attended: true, Replaces: other}})
	return r
}

// united gives the legs of two connected parties: a caller, and the line that
// was called.
func (w *world) united(line string, d script.Dial) (caller, callee *farLeg, id string, res func() script.DialResult) {
	w.t.Helper()
	d.Targets = users(line)
	caller, id, res = w.arrive(d)
	callee = <-w.lines[line].dialed
	<-w.lines[line].dials
	callee.answer()
	synctest.Wait()
	talking(w.t, caller, callee)
	return caller, callee, id, res
}

// cut checks that two do not hear each other.
func cut(t *testing.T, a, b *farLeg) {
	t.Helper()
	a.port.in.Store(1100)
	b.port.in.Store(2200)
	pass(100 * time.Millisecond)
	if a.port.out.Load() == 2200 || b.port.out.Load() == 1100 {
		t.Error("the two hear each other")
	}
}

// rec gives the record of the call with a leg on a line, in a direction.
func (w *world) recordOf(match func(call.Record) bool) call.Record {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.events) - 1; i >= 0; i-- {
		if r := *w.events[i].Record; match(r) {
			return r
		}
	}
	w.t.Fatal("there is no such record")
	return call.Record{}
}

// TestTransferByTheCallee: the party that was called sends its caller on; the
// document's Dial, and its recording, go on with the new party.
func TestTransferByTheCallee(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		caller, callee, id, res := w.united("201", script.Dial{Record: &call.RecordOptions{Channels: 2, Source: "DialVerb"}, CallerID: "5550122"})
		wish := callee.wants("202")
		next := <-w.lines["202"].dialed
		d := <-w.lines["202"].dials
		if d.From != "5550111" || len(d.Headers) != 1 || d.Headers[0].Name != "Referred-By" {
			t.Errorf("the new party is shown %q and told %v", d.From, d.Headers)
		}
		cut(t, caller, callee)
		next.ring()
		pass(time.Second)
		wish.want(t, 0, 202, 180)
		if got := caller.port.out.Load(); got != 500 {
			t.Errorf("the caller hears %d, want the ringback's 500", got)
		}
		next.answer()
		pass(time.Second)
		wish.want(t, 0, 202, 180, 200)
		talking(t, caller, next)
		if c := callee.cause(); c == nil || c.Q850 != 16 || !strings.Contains(c.Text, "201 transferred the call to 202") {
			t.Errorf("who transferred ended with %+v", c)
		}
		next.end(call.NormalClearing(call.Remote))
		r := res()
		first := w.recordOf(func(r call.Record) bool { return r.Line == "201" })
		second := w.recordOf(func(r call.Record) bool { return r.Line == "202" })
		if r.Child != second.ID || !r.Bridged || r.State != call.Completed || second.Parent != id || first.Parent != id {
			t.Errorf("result %+v, children %q and %q of %q", r, first.ID, second.ID, id)
		}
		if !strings.HasPrefix(second.Route, "Transferred by 201. ") || first.State != call.Completed {
			t.Errorf("route %q, state %v", second.Route, first.State)
		}
		if r.Recording == nil || r.Recording.Duration < 2*time.Second {
			t.Errorf("recorded %+v", r.Recording)
		}
		parent := w.recordOf(func(r call.Record) bool { return r.ID == id })
		if !slices.Contains(parent.Warnings, "201 transferred 5550111 to 202") {
			t.Errorf("the record says %q", parent.Warnings)
		}
	})
}

// TestTransferByTheCaller: the party that called goes, and whom it called goes on
// with somebody else.
func TestTransferByTheCaller(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		caller, callee, _, _ := w.united("201", script.Dial{Record: &call.RecordOptions{Channels: 2}})
		wish := caller.wants("202")
		next := <-w.lines["202"].dialed
		if d := <-w.lines["202"].dials; d.From != "201" {
			t.Errorf("the new party is shown %q", d.From)
		}
		next.ring()
		pass(time.Second)
		if got := callee.port.out.Load(); got != 500 {
			t.Errorf("the called party hears %d, want the ringback's 500", got)
		}
		next.answer()
		pass(time.Second)
		wish.want(t, 0, 202, 180, 200)
		talking(t, callee, next)
		if c := caller.cause(); c == nil || !strings.Contains(c.Text, "5550111 transferred the call to 202") {
			t.Errorf("who transferred ended with %+v", c)
		}
		next.end(call.NormalClearing(call.Remote))
		synctest.Wait()
		if callee.cause() == nil {
			t.Error("the party that was left is still up")
		}
		b := w.recordOf(func(r call.Record) bool { return r.Line == "201" })
		if len(b.Recordings) != 1 {
			t.Errorf("the recording did not go on: %v", b.Recordings)
		}
	})
}

// TestTransferFails: a target that is busy, unknown or does not answer leaves
// everything as it was.
func TestTransferFails(t *testing.T) {
	for _, byCaller := range []bool{false, true} {
		for _, tc := range []struct {
			to     string
			reject call.Cause
			want   []int
		}{
			{"202", call.FromSIP(486, call.Remote, "202 is busy"), []int{202, 180, 486}},
			{"202", call.Cause{}, []int{202, 180, 480}},
			{"999", call.Cause{}, []int{202, 404}},
		} {
			t.Run(fmt.Sprintf("%v %s %d", byCaller, tc.to, tc.reject.SIP), func(t *testing.T) {
				in(t, func(t *testing.T, w *world) {
					caller, callee, id, res := w.united("201", script.Dial{})
					by := callee
					if byCaller {
						by = caller
					}
					wish := by.wants(tc.to)
					if tc.to == "202" {
						next := <-w.lines["202"].dialed
						next.ring()
						synctest.Wait()
						if tc.reject.SIP != 0 {
							next.end(tc.reject)
						}
					}
					pass(40 * time.Second)
					wish.want(t, 0, tc.want...)
					talking(t, caller, callee)
					// And again, with more luck.
					wish = by.wants("203")
					next := <-w.lines["203"].dialed
					next.answer()
					pass(time.Second)
					wish.want(t, 0, 202, 200)
					other := caller
					if byCaller {
						other = callee
					}
					talking(t, other, next)
					other.end(call.NormalClearing(call.Remote))
					synctest.Wait()
					if next.cause() == nil || by.cause() == nil {
						t.Error("somebody is still up")
					}
					if r := res(); !byCaller && !r.Bridged {
						t.Errorf("result %+v", r)
					}
					_ = id
				})
			})
		}
	}
}

// TestTransferAlone: who wants the transfer hangs up at once, or the party that is
// transferred does not wait.
func TestTransferAlone(t *testing.T) {
	for _, tc := range []struct{ byCaller, partnerGoes, answers bool }{
		{false, false, true}, {false, false, false}, {true, false, true}, {true, false, false}, {false, true, false}, {true, true, false},
	} {
		t.Run(fmt.Sprintf("%+v", tc), func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				caller, callee, _, _ := w.united("201", script.Dial{})
				by, other := callee, caller
				if tc.byCaller {
					by, other = caller, callee
				}
				wish := by.wants("202")
				next := <-w.lines["202"].dialed
				next.ring()
				synctest.Wait()
				if tc.partnerGoes {
					other.end(call.NormalClearing(call.Remote))
					synctest.Wait()
					wish.want(t, 0, 202, 180, 480)
					if next.cause() == nil {
						t.Error("the target still rings")
					}
					if pass(time.Minute); by.cause() == nil && tc.byCaller == false {
						t.Error("who wanted the transfer is still up")
					}
					return
				}
				by.end(call.NormalClearing(call.Remote))
				pass(time.Second)
				if got := other.port.out.Load(); got != 500 {
					t.Errorf("the party that waits hears %d, want the ringback's 500", got)
				}
				if tc.answers {
					next.answer()
					pass(time.Second)
					wish.want(t, 0, 202, 180, 200)
					talking(t, other, next)
					return
				}
				next.end(call.FromSIP(486, call.Remote, "busy"))
				pass(time.Minute)
				wish.want(t, 0, 202, 180, 486)
				if other.cause() == nil {
					t.Error("the party that was left is still up")
				}
			})
		})
	}
}

// TestTransferWhileHeld: music for the party on hold ends when it rings, and comes
// back when that was in vain.
func TestTransferWhileHeld(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.doc("http://app/hold", play("clip:100000"))
		caller, callee, _, _ := w.united("201", script.Dial{OnHold: call.Hook{URL: "http://app/hold"}})
		callee.port.in.Store(0)
		callee.emit(call.LegEvent{Type: call.LegHeld})
		pass(time.Second)
		if got := caller.port.out.Load(); got != clipLevel {
			t.Errorf("the party on hold hears %d, want %d", got, clipLevel)
		}
		wish := callee.wants("202")
		next := <-w.lines["202"].dialed
		next.ring()
		pass(time.Second)
		if got := caller.port.out.Load(); got != 500 {
			t.Errorf("the transferred party hears %d, want the ringback's 500", got)
		}
		next.end(call.FromSIP(486, call.Remote, "busy"))
		pass(time.Second)
		wish.want(t, 0, 202, 180, 486)
		if got := caller.port.out.Load(); got != clipLevel {
			t.Errorf("the party on hold hears %d again, want %d", got, clipLevel)
		}
		callee.emit(call.LegEvent{Type: call.LegResumed})
		pass(time.Second)
		talking(t, caller, callee)
		callee.emit(call.LegEvent{Type: call.LegHeld})
		callee.wants("203")
		(<-w.lines["203"].dialed).answer()
		pass(2 * time.Second)
		if got := caller.port.out.Load(); got == clipLevel {
			t.Error("the party hears music after it was transferred")
		}
	})
}

// TestTransferHook: the application is asked, and its document runs on the other
// party, or the refusal reaches the far end.
func TestTransferHook(t *testing.T) {
	for _, byCaller := range []bool{false, true} {
		t.Run(fmt.Sprint(byCaller), func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				var told *script.TransferWish
				w.install("http://app/refer", func(r *script.Result) (script.Document, error) {
					told = r.Transfer
					return script.Document{Verbs: []script.Verb{play("clip:100000")}}, nil
				})
				caller, callee, id, _ := w.united("201", script.Dial{Transfers: call.Hook{URL: "http://app/refer"}})
				by, other := callee, caller
				if byCaller {
					by, other = caller, callee
				}
				r := &wishes{} // also from a line that has no say of its own
				by.emit(call.LegEvent{Type: call.LegTransfer, Transfer: &call.Transfer{To: "202", URI: "sip:202@box.example", By: "sip:boss@box.example", User: "boss", Reply: r}})
				pass(time.Second)
				r.want(t, 0, 202, 200)
				if got := other.port.out.Load(); got != clipLevel {
					t.Errorf("the other party hears %d, want the document's %d", got, clipLevel)
				}
				if by.cause() == nil {
					t.Error("who wanted the transfer is still up")
				}
				child := w.recordOf(func(r call.Record) bool { return r.Line == "201" }).ID
				want := script.TransferWish{To: "202", URI: "sip:202@box.example", By: "sip:boss@box.example", ByUser: "boss", Referrer: child, Referred: id}
				if byCaller {
					want.Referrer, want.Referred = id, child
				}
				if told == nil || told.To != want.To || told.URI != want.URI || told.By != want.By || told.ByUser != want.ByUser || told.Referrer != want.Referrer || told.Referred != want.Referred {
					t.Errorf("told %+v, want %+v", told, want)
				}
			})
		})
	}
}

// TestTransferHookAnswers: no verbs where that means to go on, an error, and a
// call that is connected with nobody.
func TestTransferHookAnswers(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.doc("http://app/refer")
		caller, callee, _, _ := w.united("201", script.Dial{Transfers: call.Hook{URL: "http://app/refer"}, MayIgnore: true})
		ignored := callee.wants("202")
		ignored.want(t, 0, 202)
		talking(t, caller, callee)
		w.install("http://app/refer", func(*script.Result) (script.Document, error) {
			return script.Document{}, &script.FetchError{Code: 11200, Status: 404, Err: errors.New("status 404")}
		})
		callee.wants("202").want(t, 404)
		w.install("http://app/refer", func(*script.Result) (script.Document, error) {
			return script.Document{}, &script.FetchError{Code: 11205, Err: errors.New("unreachable")}
		})
		callee.wants("202").want(t, 500)
		talking(t, caller, callee)
		caller.end(call.NormalClearing(call.Remote)) // as if the application had moved it
		synctest.Wait()
		ignored.want(t, 0, 202, 200)

		w.plan = Plan{Account: "acct", Script: w.doc("http://app/alone", play("clip:100000")), Session: call.Session{Transfers: call.Hook{URL: "http://app/own"}}}
		w.doc("http://app/own", play("clip:7"))
		lone := newFarLeg(call.LegInfo{Line: "201", Inbound: true, From: "201", To: "700"})
		w.e.Incoming(lone)
		synctest.Wait()
		lone.wants("202").want(t, 0, 202, 200)
		pass(time.Second)
		if lone.cause() == nil {
			t.Error("the document of the transfer did not run")
		}
	})
}

// policy is a Transfers of the tests.
type policy struct {
	plan Plan
	no   error
}

func (p policy) Target(call.LegInfo, *call.Transfer) Plan       { return p.plan }
func (p policy) Replace(call.LegInfo, call.LegInfo, bool) error { return p.no }

// TestTransferToAnApplication: what the box's plan says of a target counts.
func TestTransferToAnApplication(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		p := &policy{}
		w.e.cfg.Transfers = p
		caller, callee, _, _ := w.united("201", script.Dial{})
		p.plan = Plan{Refuse: &call.Cause{Q850: 1, SIP: 404, Text: "no such number"}}
		callee.wants("700").want(t, 0, 202, 404)
		p.plan = Plan{API: "another", Script: w.doc("http://app/ivr", play("clip:100000"))}
		callee.wants("700").want(t, 0, 202, 603)
		talking(t, caller, callee)
		p.plan.API = ""
		wish := callee.wants("700")
		pass(time.Second)
		wish.want(t, 0, 202, 200)
		if got := caller.port.out.Load(); got != clipLevel || callee.cause() == nil {
			t.Errorf("the caller hears %d, want the application's %d", got, clipLevel)
		}
	})
}

// TestTransferIsGuarded: the guards of the phone that wants a transfer count for
// the call to the target, and let an allowed one pass.
func TestTransferIsGuarded(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.guarded(toll.Rule{Line: "203", Calls: 1})
		caller, callee, _, _ := w.united("203", script.Dial{})
		wish := callee.wants("201")
		(<-w.lines["201"].dialed).answer()
		pass(time.Second)
		wish.want(t, 0, 202, 200)
		caller.port.in.Store(0)
		// That one is up: another call of the phone would be its second.
		other, phone, _, _ := w.united("203", script.Dial{})
		phone.wants("202").want(t, 0, 202, 403)
		talking(t, other, phone)
	})
}

// TestTransferDeclined: of a line that may not have calls transferred nothing comes,
// and the warning bears what the document's language calls that.
func TestTransferDeclined(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		caller, callee, _, res := w.united("201", script.Dial{Refusals: script.Refusals{Transfer: "(4)"}})
		r := &wishes{}
		callee.emit(call.LegEvent{Type: call.LegTransfer, Transfer: &call.Transfer{To: "202", Reply: r}})
		r.want(t, 603)
		talking(t, caller, callee)
		callee.end(call.NormalClearing(call.Remote))
		warnings := w.record(res().Child).Warnings
		if len(warnings) != 1 || !strings.Contains(warnings[0], "to 202 was declined: line 201 may not") || !strings.HasSuffix(warnings[0], " (4)") {
			t.Errorf("warnings %q", warnings)
		}
	})
}

// TestTransferOutOfAQueue: an agent sends on the caller that waited in a queue; there
// is no way back then.
func TestTransferOutOfAQueue(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		caller, _ := w.place("201", 1000, script.EnqueueVerb{Enqueue: script.Enqueue{Name: "support", Wait: call.WaitSound{Silent: true}}})
		agent, _ := w.place("202", 2000, script.DequeueVerb{Dequeue: script.Dequeue{Name: "support"}})
		pass(100 * time.Millisecond)
		talking(t, caller, agent)
		wish := agent.wants("203")
		next := <-w.lines["203"].dialed
		next.answer()
		pass(time.Second)
		wish.want(t, 0, 202, 200)
		talking(t, caller, next)
		if c := agent.cause(); c == nil || !strings.Contains(c.Text, "202 transferred the call to 203") {
			t.Errorf("the agent's leg ended with %+v", c)
		}
		next.end(call.NormalClearing(call.Remote))
		pass(time.Minute)
		if caller.cause() == nil {
			t.Error("the caller is still up")
		}
	})
}
