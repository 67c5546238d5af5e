package sip

import (
	"errors"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/wire"
)

// maxUnreached is how many probes in a row may find no way to the far end.
const maxUnreached = 2

// Probe asks the far end of an answered dialog whether it still has the call, by
// OPTIONS (RFC 3261 §11.2). It does not wait. A far end that has not, or that
// does not answer, ends the dialog, and so does the second probe in a row for
// which there is no way; whatever else it answers is a sign of life.
func (d *Dialog) Probe() {
	d.mu.Lock()
	if d.state != dsUp || d.probing {
		d.mu.Unlock()
		return
	}
	d.probing = true
	req := d.request(gosip.OPTIONS, 0)
	req.AppendHeader(gosip.NewHeader("Accept", sdpType))
	req.SetBody(nil)
	err := d.send(req, func(res *gosip.Response, _ wire.Flow, err error) {
		switch {
		case err == nil && res.StatusCode < 200:
			return
		case err == nil && res.StatusCode >= 300:
			err = statusError(res)
		}
		d.probed(err)
	})
	d.mu.Unlock()
	if err != nil {
		d.probed(err)
	}
}

// probed takes the outcome of a probe.
func (d *Dialog) probed(err error) {
	d.mu.Lock()
	d.probing = false
	if errors.Is(err, ErrTransport) {
		d.unreached++
	} else {
		d.unreached = 0
	}
	if d.unreached >= maxUnreached && d.state == dsUp {
		d.bye(Reason{Q850: 38}, DialogEvent{Status: 503, Text: trouble(err, d.info.Remote.String()), By: ByNetwork})
	}
	d.mu.Unlock()
	d.checkGone(err)
}
