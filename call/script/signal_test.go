package script

import (
	"context"
	"errors"
	"testing"

	"callbox/call"
)

// signaller is a far end that answers requests.
type signaller struct {
	answer call.SIPResponse
	refer  ReferResult
	steps  []int
	err    error
}

func (s signaller) Signal(context.Context, call.SIPMessage) (call.SIPResponse, error) {
	return s.answer, s.err
}

func (s signaller) Refer(_ context.Context, _ Referral, tell func(int)) (ReferResult, error) {
	for _, x := range s.steps {
		tell(x)
	}
	return s.refer, s.err
}

func TestRequest(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		env := c.env()
		env.Signaller = signaller{answer: call.SIPResponse{Status: 202}}
		v := Request{Message: call.SIPMessage{Method: "INFO"}, Action: action}
		if jump, err := v.Run(ctx, &env); err != nil || jump.Result.Answer.Status != 202 || !jump.Resume {
			t.Errorf("%+v, %v", jump, err)
		}
		env.Signaller = signaller{err: errors.New("no answer")}
		if jump, err := v.Run(ctx, &env); err != nil || jump.Result.Fault != "no answer" || jump.Result.Answer != nil {
			t.Errorf("%+v, %v", jump, err)
		}
		v.Action = call.Hook{}
		if jump, err := v.Run(ctx, &env); err != nil || jump != nil {
			t.Errorf("%+v, %v", jump, err)
		}
		env.Signaller = signaller{err: call.ErrEnded}
		if _, err := v.Run(ctx, &env); !errors.Is(err, call.ErrEnded) {
			t.Error(err)
		}
		c.want("0 warning the request INFO was not answered: no answer", "0 warning the request INFO was not answered: no answer")
	})
}

func TestRefer(t *testing.T) {
	bubble(t, func(t *testing.T, c *fake, ctx context.Context) {
		c.fetch = func(call.Hook, call.Record, *Result) (Document, error) { return Document{}, nil }
		env := c.env()
		env.Signaller = signaller{refer: ReferResult{202, 200}, steps: []int{180, 200}}
		v := Refer{Referral: Referral{To: "sip:a@b"}, Action: action, Events: main}
		jump, err := v.Run(ctx, &env)
		if err != nil || *jump.Result.Refer != (ReferResult{202, 200}) {
			t.Errorf("%+v, %v", jump, err)
		}
		if len(c.asked) != 2 || c.asked[0].Verb != ReferEvent || c.asked[0].Refer.Status != 180 || c.asked[1].Refer.Status != 200 {
			t.Errorf("%+v", c.asked)
		}
		env.Signaller = signaller{refer: ReferResult{Status: 603}, err: errors.New("the far end refused")}
		if jump, err := v.Run(ctx, &env); err != nil || jump.Result.Refer.Status != 603 || jump.Result.Fault == "" {
			t.Errorf("%+v, %v", jump, err)
		}
		if jump, err := (Refer{}).Run(ctx, &env); err != nil || jump != nil {
			t.Errorf("%+v, %v", jump, err)
		}
		// It got through and hung up: the action is told all the same.
		env.Signaller = signaller{refer: ReferResult{Status: 202}, err: call.ErrEnded}
		if jump, err := v.Run(ctx, &env); err != nil || jump.Result.Refer.Status != 202 {
			t.Errorf("%+v, %v", jump, err)
		}
		if jump, err := (Refer{}).Run(ctx, &env); !errors.Is(err, call.ErrEnded) || jump != nil {
			t.Errorf("%+v, %v", jump, err)
		}
	})
}
