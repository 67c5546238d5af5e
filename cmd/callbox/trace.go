package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"

	"callbox/call/trace"
	"callbox/hal/at"
	"callbox/sip/wire"
)

// watch files a SIP message of a call in the trace.
func (a *app) watch(m wire.Message) {
	local := m.Flow.Local
	if !local.Addr().IsValid() && a.stack != nil {
		local = a.stack.Addr(m.Flow.Transport)
	}
	a.trace.Message(m.At, m.CallID, m.Flow.Transport, m.Sent, local, m.Flow.Remote, m.Raw)
}

// beforeCall is how many lines of a modem's dialogue are kept for the call that may
// follow; what is said between calls would push others' calls out of the trace.
const beforeCall = 12

// traceModem files what is said to a modem, and by it, during its calls.
func (a *app) traceModem(line string, busy func() bool) func(at.Entry) {
	var mu sync.Mutex // guards last
	var last []at.Entry
	return func(e at.Entry) {
		mu.Lock()
		defer mu.Unlock()
		if last = append(last, e); !busy() {
			last = last[max(0, len(last)-beforeCall):]
			return
		}
		for _, e := range last {
			a.trace.Line(e.At, line, "AT", e.Out, e.Text)
		}
		last = last[:0]
	}
}

// traceCmd shows what was said for a call.
type traceCmd struct {
	dataDir
	Call   string `arg:"" help:"The call's id (callbox calls lists them)."`
	Full   bool   `short:"f" help:"Print the messages whole."`
	Pcap   string `help:"Write the messages to this file, for Wireshark and the like." type:"path" placeholder:"FILE"`
	Output string `short:"o" enum:"ladder,json" default:"ladder" help:"ladder or json."`
}

// Run shows it.
func (c *traceCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	entries, err := cl.Trace(ctx, c.Call)
	switch {
	case err != nil:
		return err
	case c.Pcap != "":
		var b bytes.Buffer
		if err := trace.WritePcapng(&b, entries); err != nil {
			return err
		}
		if err := os.WriteFile(c.Pcap, b.Bytes(), 0o600); err != nil {
			return fmt.Errorf("write the capture: %w", err)
		}
		return nil
	case c.Output == "json":
		return printJSON(entries)
	}
	return trace.Ladder(os.Stdout, entries, c.Full)
}
