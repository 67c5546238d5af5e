package trunk_test

import (
	"fmt"
	"testing"

	"callbox/call"
	"callbox/call/line/linetest"
	"callbox/call/line/sipleg/siptest"
	"callbox/call/line/trunk"
	"callbox/media/rtp"
	"callbox/sip"
)

const (
	boxHost      = "127.0.0.1"
	providerHost = "127.0.0.2"
)

// number is what the provider dials at the box.
const number = "+15550199"

// newLine makes a trunk to the provider a on a box of its own.
func newBox(t *testing.T) (*sip.Stack, *rtp.PortPool) {
	t.Helper()
	return siptest.NewStack(t, boxHost), siptest.NewPorts(t, boxHost)
}

func fixture(t *testing.T, line call.Line, a *siptest.Endpoint, ports *rtp.PortPool) linetest.Fixture {
	t.Helper()
	return linetest.Fixture{
		Line: line, Far: a, Voice: a, Dial: call.Dial{To: "+15550100", From: "+15550123"},
		Number: number, From: "+15550142", Leave: a.Leave,
		Leak: func() error {
			if st := ports.Stats(); st.Busy != 0 || st.Draining != 0 {
				return fmt.Errorf("RTP ports still held: %+v", st)
			}
			return nil
		},
	}
}

// TestSuiteStatic: a provider at a fixed address.
func TestSuiteStatic(t *testing.T) {
	linetest.Run(t, func(t *testing.T) linetest.Fixture {
		stack, ports := newBox(t)
		a := siptest.NewEndpoint(t, siptest.Config{Host: providerHost, Box: stack.Addr("udp"), User: "+15550142"})
		line, err := trunk.New(trunk.Config{ID: "provider", Host: a.Addr().String()}, stack, ports, nil)
		if err != nil {
			t.Fatal(err)
		}
		return fixture(t, line, a, ports)
	})
}

// TestSuiteRegistering: a provider that the box registers with over TCP, that
// challenges calls, prefers A-law, and hears digits as tones only.
func TestSuiteRegistering(t *testing.T) {
	linetest.Run(t, func(t *testing.T) linetest.Fixture {
		stack, ports := newBox(t)
		account := sip.Credentials{Username: "branch", Password: "open sesame"}
		a := siptest.NewEndpoint(t, siptest.Config{
			Host: providerHost, Box: stack.Addr("tcp"), Transport: "tcp", User: "+15550142",
			Account: &account, Codecs: []string{"PCMA"},
		})
		line, err := trunk.New(trunk.Config{
			ID: "provider", Host: a.Stack.Addr("tcp").String(), Transport: "tcp",
			Username: account.Username, Password: account.Password, Register: true, FromUser: account.Username,
		}, stack, ports, nil)
		if err != nil {
			t.Fatal(err)
		}
		return fixture(t, line, a, ports)
	})
}
