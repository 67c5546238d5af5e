package at

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// FuzzEngine: whatever the modem says, a command ends, with an answer or in time.
func FuzzEngine(f *testing.F) {
	f.Add([]byte("\r\n+CMGR: 1,,22\r\n0011\r\n\r\nOK\r\n"), false)
	f.Add([]byte("\r\n> \r\n+CMS ERROR: 304\r\n"), true)
	f.Add([]byte("\r\nCONNECT\r\n\x10\x10\x10b\x10\x03\r\nOK\r\n"), true)
	f.Add([]byte("+CDS: 1\r\n+CDS: 2\r\nAB\r\n"), false)
	f.Fuzz(func(t *testing.T, said []byte, voice bool) {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			e := New(near, Config{Voice: voice, Probe: time.Second})
			listening := make(chan struct{})
			go func() {
				defer close(listening)
				_, _ = io.Copy(io.Discard, far)
			}()
			talking := make(chan struct{})
			go func() {
				defer close(talking)
				_, _ = far.Write(said)
			}()
			s, err := e.Stream(context.Background(), Command{Text: "AT+VTR", Payload: "00", Any: true, Pairs: true})
			if err == nil {
				_ = s.Leave(context.Background(), '^')
			}
			_, _ = e.Do(context.Background(), Command{Text: "AT+CMGR=1", Answers: []string{"+CMGR:"}, Pairs: true})
			_ = e.Close()
			_ = far.Close()
			<-listening
			<-talking
		})
	})
}
