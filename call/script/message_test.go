package script

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"callbox/call"
)

// post is a fake of a line that sends messages.
type post struct {
	c   *fake
	err error
}

func (p post) SendMessage(_ context.Context, m call.Message) (call.Message, error) {
	p.c.logf("send %s %s→%s %q for %s", m.Direction, m.From, m.To, m.Body, m.Call)
	m.ID, m.Status = "SM1", call.MessageQueued
	return m, p.err
}

func TestMessageVerb(t *testing.T) {
	action := call.Hook{URL: "http://app.lan/action"}
	none := fmt.Errorf("line gsm1: %w", call.ErrNoMessenger)
	for name, tc := range map[string]struct {
		verb      Message
		direction call.Direction
		err       error
		without   bool // the box has no line for messages
		want      []string
		status    call.MessageStatus // what the action is told; empty: nothing
	}{
		"to the caller": {Message{Body: "hi"}, call.Inbound, nil, false, []string{`0 send outbound-dial +15550100100→+15550100199 "hi" for CA1`}, ""},
		"to the called": {Message{Body: "hi"}, call.OutboundAPI, nil, false, []string{`0 send outbound-dial +15550100199→+15550100100 "hi" for CA1`}, ""},
		"named, with action": {Message{From: "+15550100101", To: "+15550100102", Body: "hi", Action: action}, call.Inbound, nil, false,
			[]string{`0 send outbound-dial +15550100101→+15550100102 "hi" for CA1`, "0 fetch http://app.lan/action"}, call.MessageQueued},
		"no line": {Message{Body: "hi", Action: action}, call.Inbound, none, false, []string{`0 send outbound-dial +15550100100→+15550100199 "hi" for CA1`,
			"0 warning the text message was not sent: line gsm1: " + call.ErrNoMessenger.Error(), "0 fetch http://app.lan/action"}, call.MessageFailed},
		"no line at all": {Message{Body: "hi"}, call.Inbound, nil, true, []string{"0 warning the text message was not sent: " + call.ErrNoMessenger.Error()}, ""},
		"other failure": {Message{Body: "hi"}, call.Inbound, errors.New("odd failure"), false, []string{`0 send outbound-dial +15550100100→+15550100199 "hi" for CA1`,
			"0 warning the text message was not sent: odd failure"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
				c.rec.From, c.rec.To, c.rec.Direction = "+15550100199", "+15550100100", tc.direction
				c.fetch = func(call.Hook, call.Record, *Result) (Document, error) { return Document{}, nil }
				env := c.env()
				if !tc.without {
					env.Messenger = post{c, tc.err}
				}
				jump, err := tc.verb.Run(ctx, &env)
				if err != nil {
					t.Fatal(err)
				}
				if jump != nil {
					c.logf("fetch %s", jump.Hook.URL)
				}
				c.want(tc.want...)
				if tc.status == "" != (jump == nil) || jump != nil && (jump.Result.Message.Status != tc.status || jump.Result.Verb != "message") {
					t.Errorf("the action: %+v", jump)
				}
			})
		})
	}
	if p, ok := Verb(Message{}).(Preparer); !ok || !p.BeforeAnswer() {
		t.Error("a message answers the call")
	}
}
