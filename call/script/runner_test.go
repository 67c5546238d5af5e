package script

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"callbox/call"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	main     = call.Hook{URL: "http://pbx.biloxi.example/voice"}
	fallback = call.Hook{URL: "http://pbx.biloxi.example/fallback"}
)

// hello is a document's usual beginning.
func hello(text string) Verb { return Say{Speech: Speech{Text: text}, Loop: 1} }

// serve answers fetches by URL.
func serve(docs map[string]any) func(call.Hook, call.Record, *Result) (Document, error) {
	return func(h call.Hook, _ call.Record, _ *Result) (Document, error) {
		switch d := docs[h.URL].(type) {
		case []Verb:
			return Document{Verbs: d, URL: h.URL}, nil
		case Document:
			return d, nil
		case error:
			return Document{}, d
		}
		return Document{}, &FetchError{Code: 11200, URL: h.URL, Err: fmt.Errorf("nothing at %s", h.URL)}
	}
}

func TestRunToTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		c.ringing()
		c.fetch = serve(map[string]any{main.URL: Document{Verbs: []Verb{Pause{time.Second}, hello("a"), hello("b")}, Warnings: []string{"odd verb"}}})
		if got := (Runner{}).Run(ctx, new(c.env()), &call.ScriptSource{Main: main}); got != Finished {
			t.Errorf("outcome %s", got)
		}
		c.want("0 fetch "+main.URL, "0 warning odd verb", "0 verb pause", "1 answer", "1 verb say", "1 speak a",
			"2 played 50 frames, 0", "2 verb say", "2 speak b", "3 played 50 frames, 0", "3 hangup 16/0 script")
	})
}

func TestAnswering(t *testing.T) {
	bridge := &DialVerb{Dial: Dial{AnswerOnBridge: true, Targets: []Target{{To: "5550100"}}}}
	for _, tc := range []struct {
		name  string
		verbs []Verb
		want  string // first answer, or how it ended without
	}{
		{"say answers", []Verb{hello("a")}, "0 answer"},
		{"pause delays", []Verb{Pause{2 * time.Second}, hello("a")}, "2 answer"},
		{"hangup answers", []Verb{Hangup{}}, "0 answer"},
		{"reject does not", []Verb{Reject{Busy: true}}, "0 hangup 17/486 script"},
		{"dial with answerOnBridge does not", []Verb{bridge}, "0 hangup 16/0 script"},
		{"but what follows does", []Verb{bridge, hello("a")}, "0 answer"},
		{"early sounds do not", []Verb{Play{URL: "http://a/a.wav", Loop: 1, Early: true}, Say{Speech: Speech{Text: "a"}, Loop: 1, Early: true}, Reject{}}, "2 hangup 21/603 script"},
		{"redirect does not", []Verb{Redirect{Hook: action}}, "0 hangup 21/603 script"},
		{"an empty document does not", nil, "0 hangup 16/0 script"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
				c.ringing()
				c.dial = func(context.Context, Dial) (DialResult, error) { return DialResult{State: call.NoAnswer}, nil }
				c.fetch = serve(map[string]any{main.URL: tc.verbs, action.URL: []Verb{Reject{}}})
				if got := (Runner{}).Run(ctx, new(c.env()), &call.ScriptSource{Main: main}); got != Finished {
					t.Errorf("outcome %s", got)
				}
				for _, l := range c.lines {
					if strings.Contains(l, " answer") || strings.Contains(l, " hangup") {
						if strings.HasSuffix(l, "verb hangup") {
							continue
						}
						if l != tc.want {
							t.Errorf("%q, wanted %q", l, tc.want)
						}
						return
					}
				}
			})
		})
	}
}

func TestJumps(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		c.typeAt("5", 0.5)
		c.fetch = serve(map[string]any{
			main.URL:   []Verb{Gather{Action: action, NumDigits: 1}, hello("dead")},
			action.URL: []Verb{Redirect{Hook: fallback}, hello("dead")},
			// the last one
			fallback.URL: []Verb{hello("end")},
		})
		if got := (Runner{}).Run(ctx, new(c.env()), &call.ScriptSource{Main: main}); got != Finished {
			t.Errorf("outcome %s", got)
		}
		c.want("0 fetch "+main.URL, "0 verb gather", "0.5 fetch "+action.URL, "0.5 verb redirect", "0.5 fetch "+fallback.URL,
			"0.5 verb say", "0.5 speak end", "1.5 played 50 frames, 0", "1.5 hangup 16/0 script")
		if len(c.asked) != 3 || c.asked[0] != nil || c.asked[1].Digits != "5" || c.asked[2] != nil {
			t.Errorf("results %v", c.asked)
		}
	})
}

func TestInline(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		c.decode = func(text string) (Document, error) {
			if text != "<Response/>" {
				return Document{}, errOdd
			}
			return Document{Verbs: []Verb{hello("a")}}, nil
		}
		if got := (Runner{}).Run(ctx, new(c.env()), &call.ScriptSource{Inline: "<Response/>"}); got != Finished {
			t.Errorf("outcome %s", got)
		}
		c.want("0 verb say", "0 speak a", "1 played 50 frames, 0", "1 hangup 16/0 script")
	})
}

func TestFallback(t *testing.T) {
	status := &FetchError{Code: 11200, URL: main.URL, Err: errors.New("HTTP status 500")}
	for _, tc := range []struct {
		name string
		docs map[string]any
		src  call.ScriptSource
		want Outcome
		code int // told to the fallback
		asks int
	}{
		{"not needed", map[string]any{main.URL: []Verb{}}, call.ScriptSource{Main: main, Fallback: fallback}, Finished, 0, 1},
		{"used", map[string]any{main.URL: status, fallback.URL: []Verb{}}, call.ScriptSource{Main: main, Fallback: fallback}, Finished, 11200, 2},
		{"fails too", map[string]any{main.URL: status}, call.ScriptSource{Main: main, Fallback: fallback}, Broken, 11200, 2},
		{"none", map[string]any{main.URL: status}, call.ScriptSource{Main: main}, Broken, 0, 1},
		{"plain error", map[string]any{main.URL: errOdd, fallback.URL: []Verb{}}, call.ScriptSource{Main: main, Fallback: fallback}, Finished, 12400, 2},
		{"inline fails", map[string]any{fallback.URL: []Verb{}}, call.ScriptSource{Inline: "odd", Fallback: fallback}, Finished, 12100, 1},
		{"for a later document", map[string]any{main.URL: []Verb{Redirect{Hook: action}}, fallback.URL: []Verb{}},
			call.ScriptSource{Main: main, Fallback: fallback}, Finished, 11200, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
				c.fetch = serve(tc.docs)
				c.decode = func(string) (Document, error) { return Document{}, &FetchError{Code: 12100, Err: errOdd} }
				if got := (Runner{}).Run(ctx, new(c.env()), &tc.src); got != tc.want {
					t.Errorf("outcome %s", got)
				}
				if len(c.asked) != tc.asks {
					t.Fatalf("%d requests", len(c.asked))
				}
				var code int
				if last := c.asked[len(c.asked)-1]; last != nil && last.Verb == "error" {
					code = last.Error.Code
				}
				if code != tc.code {
					t.Errorf("code %d", code)
				}
				end := c.lines[len(c.lines)-1]
				if tc.want == Broken && (end != "0 hangup 41/500 box" || !strings.Contains(strings.Join(c.lines, "\n"), "warning the script cannot go on: ")) {
					t.Errorf("no word of it: %q", c.lines)
				}
			})
		})
	}
}

func TestTightLoop(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		c.fetch = serve(map[string]any{main.URL: []Verb{Redirect{Hook: main}}})
		if got := (Runner{}).Run(ctx, new(c.env()), &call.ScriptSource{Main: main, Fallback: main}); got != Broken {
			t.Errorf("outcome %s", got)
		}
		if len(c.asked) != FetchBurst {
			t.Errorf("%d fetches", len(c.asked))
		}
	})
}

func TestSlowLoop(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		c.fetch = serve(map[string]any{main.URL: []Verb{Pause{time.Second}, Redirect{Hook: main}}})
		if got := (Runner{}).Run(ctx, new(c.env()), &call.ScriptSource{Main: main}); got != Broken {
			t.Errorf("outcome %s", got)
		}
		if len(c.asked) != MaxFetches {
			t.Errorf("%d fetches", len(c.asked))
		}
	})
}

func TestInterrupted(t *testing.T) {
	for _, tc := range []struct {
		name  string
		verbs []Verb
		end   bool
		asks  int // with the last request
	}{
		{"hang-up", []Verb{Pause{time.Minute}}, true, 1},
		{"replaced", []Verb{Pause{time.Minute}}, false, 1},
		{"replaced during a prompt", []Verb{Say{}}, false, 1},
		{"hang-up during gather", []Verb{Gather{Action: action, ActionOnEmpty: true, Timeout: time.Minute}}, true, 1},
		{"hang-up during record", []Verb{Record{Action: action}}, true, 2},
		{"replaced during record", []Verb{Record{Action: action}}, false, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
				c.fetch = serve(map[string]any{main.URL: tc.verbs, action.URL: []Verb{hello("not run")}})
				if tc.end {
					c.after(1500*time.Millisecond, c.end)
				} else {
					c.after(1500*time.Millisecond, c.stop)
				}
				if got := (Runner{}).Run(ctx, new(c.env()), &call.ScriptSource{Main: main, Fallback: fallback}); got != Interrupted {
					t.Errorf("outcome %s", got)
				}
				if len(c.asked) != tc.asks || time.Since(c.start) != 1500*time.Millisecond {
					t.Errorf("%d requests, %s", len(c.asked), time.Since(c.start))
				}
				if tc.asks == 2 && !c.asked[1].HungUp {
					t.Errorf("last request %+v", c.asked[1])
				}
				for _, l := range c.lines {
					if strings.Contains(l, "hangup") || strings.Contains(l, "warning") || strings.Contains(l, "not run") {
						t.Errorf("%q", l)
					}
				}
			})
		})
	}
}

func TestLastRequestFails(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		c.fetch = serve(map[string]any{main.URL: []Verb{Record{Action: action}}})
		c.after(time.Second, c.end)
		if got := (Runner{}).Run(ctx, new(c.env()), &call.ScriptSource{Main: main, Fallback: fallback}); got != Interrupted {
			t.Errorf("outcome %s", got)
		}
		c.want("0 fetch "+main.URL, "0 verb record", "0 record silence 0s, max 1h0m0s", "1 fetch "+action.URL,
			"1 warning the call has ended and its record action was not told: nothing at "+action.URL)
	})
}

func TestCallerHangsUpDuringDial(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		c.dial = func(ctx context.Context, _ Dial) (DialResult, error) {
			<-ctx.Done()
			return DialResult{State: call.Completed, Child: "CA2"}, nil
		}
		c.after(5*time.Second, c.end)
		c.fetch = serve(map[string]any{main.URL: []Verb{&DialVerb{Dial: Dial{Targets: []Target{{To: "5550100"}}}, Action: action}}, action.URL: []Verb{}})
		if got := (Runner{}).Run(ctx, new(c.env()), &call.ScriptSource{Main: main}); got != Interrupted {
			t.Errorf("outcome %s", got)
		}
		if len(c.asked) != 2 || c.asked[1].Dial.Child != "CA2" {
			t.Errorf("requests %v", c.asked)
		}
	})
}

func TestVerbFails(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		c.answerErr = call.Cause{Q850: call.Q850Incompatible, SIP: 488, Who: call.Box, Text: "no common codec"}
		c.ringing()
		c.fetch = serve(map[string]any{main.URL: []Verb{hello("a")}})
		if got := (Runner{}).Run(ctx, new(c.env()), &call.ScriptSource{Main: main}); got != Broken {
			t.Errorf("outcome %s", got)
		}
		c.want("0 fetch "+main.URL, "0 warning the script cannot go on: no common codec", "0 hangup 88/488 box")
	})
}

func TestWarningsAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		c.fetch = serve(map[string]any{main.URL: Document{Warnings: make([]string, 100)}})
		(Runner{}).Run(ctx, new(c.env()), &call.ScriptSource{Main: main})
		if n := len(c.lines); n != 1+maxWarnings+1+1 || c.lines[n-2] != "0 warning 80 more warnings of this document are not shown" {
			t.Errorf("%d lines: %q", n, c.lines)
		}
	})
}

func TestScreen(t *testing.T) {
	dial := &DialVerb{Dial: Dial{Targets: []Target{{To: "5550100"}}}, Action: action}
	for _, tc := range []struct {
		name  string
		verbs []Verb
		want  bool
		log   string
	}{
		{"end accepts", []Verb{hello("a")}, true, ""},
		{"empty accepts", []Verb{}, true, ""},
		{"hangup declines", []Verb{hello("a"), Hangup{}}, false, ""},
		{"reject declines", []Verb{Reject{}}, false, ""},
		{"dial is refused", []Verb{dial, hello("a")}, true, "warning dial is not allowed in a screening document"},
		{"key accepts", []Verb{Gather{Action: action, NumDigits: 1, Timeout: time.Second}, Hangup{}}, true, ""},
		{"failure declines", nil, false, "warning the screening document failed: nothing at " + main.URL},
		{"callee hangs up", []Verb{Pause{time.Minute}}, false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
				docs := map[string]any{action.URL: []Verb{}}
				if tc.verbs != nil {
					docs[main.URL] = tc.verbs
				}
				c.fetch = serve(docs)
				c.typeAt("1", 0.5)
				c.after(30*time.Second, c.end)
				if got := (Runner{}).Screen(ctx, c.env(), main); got != tc.want {
					t.Errorf("accepted %t", got)
				}
				log := strings.Join(c.lines, "\n")
				if strings.Contains(log, "hangup ") || !strings.Contains(log, tc.log) || (tc.log == "" && strings.Contains(log, "warning")) {
					t.Errorf("happened:\n%s", log)
				}
			})
		})
	}
}

// TestFaults: what goes wrong with a verb is told with the number of the dialect
// that the document is in.
func TestFaults(t *testing.T) {
	codes := Codes{FaultDial: 1, FaultQueueFull: 2, FaultNotSIP: 3}
	for name, tc := range map[string]struct {
		verb Verb
		want string
	}{
		"a full queue":          {EnqueueVerb{Enqueue: Enqueue{Name: "support"}}, "0 warning the queue support is full (2)"},
		"a far end by analogue": {Refer{Referral: Referral{To: "sip:a@b"}}, "0 warning the call was not transferred: " + ErrNotSIP.Error() + " (3)"},
		"other failures":        {Request{Message: call.SIPMessage{Method: "INFO"}}, "0 warning the request INFO was not answered: " + ErrNotSIP.Error()},
		"a Dial":                {&DialVerb{Dial: Dial{Targets: []Target{{To: "5550100"}}}}, "0 warning dial is not allowed in a screening document (1)"},
	} {
		bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
			c.fetch = func(call.Hook, call.Record, *Result) (Document, error) {
				return Document{Verbs: []Verb{tc.verb}, Codes: codes}, nil
			}
			env := c.env()
			env.Signaller, env.Dialer = signaller{err: ErrNotSIP}, noDialer{}
			env.Rooms = meeting{c: c, enqueue: func(context.Context) (QueueResult, error) { return QueueResult{Outcome: call.QueueFull}, nil }}
			Runner{}.Run(ctx, &env, &call.ScriptSource{Main: main})
			if log := strings.Join(c.lines, "\n"); !strings.Contains(log, tc.want+"\n") {
				t.Errorf("%s: %s", name, log)
			}
		})
	}
}

func TestPace(t *testing.T) {
	var p pace
	now := time.Now()
	for i := range FetchBurst {
		if !p.take(now) {
			t.Fatalf("take %d", i)
		}
	}
	for _, tc := range []struct {
		after time.Duration
		want  bool
	}{{0, false}, {999 * time.Millisecond, false}, {time.Millisecond, true}, {0, false}, {2 * time.Second, true}, {0, true}, {0, false}} {
		now = now.Add(tc.after)
		if p.take(now) != tc.want {
			t.Errorf("after %s: %t", tc.after, !tc.want)
		}
	}
}

func TestOutcomeString(t *testing.T) {
	if got := fmt.Sprint(Finished, Interrupted, Broken, Outcome(9)); got != "finished interrupted broken outcome(9)" {
		t.Error(got)
	}
}

func TestBareURL(t *testing.T) {
	for in, want := range map[string]string{
		"http://alice:secret@biloxi.example/a?b=c#rc=2": "http://biloxi.example/a?b=c",
		"http://biloxi.example":                         "http://biloxi.example",
		"http://a b":                                    "(unreadable URL)",
	} {
		if got := BareURL(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}
