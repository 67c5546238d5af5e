package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"callbox/call"
	"callbox/media"
	"callbox/media/ears"
)

// The demo's ears: what it promises about sound it checks by content.

// alike is the share of a sentence that has to be found in what was heard.
const alike = 0.8

// keepSound writes samples as a WAV file into the demo's folder.
func (d *demo) keepSound(name string, samples []int16) error {
	f, err := os.Create(filepath.Join(d.dir, name))
	if err != nil {
		return err
	}
	return errors.Join(writeWAV(f, samples), f.Close())
}

// checkRecording looks for both voices in the recording of the bridged call,
// each on its own channel.
func (d *demo) checkRecording(sid string, caller, callee []int16) error {
	page, err := d.a.store.Recordings(call.RecordingFilter{Account: d.a.config().Accounts[0].ID, Call: sid})
	if err != nil {
		return err
	}
	if len(page.Recordings) != 1 {
		return fmt.Errorf("%d recordings of call %s remain, want 1", len(page.Recordings), sid)
	}
	rec := page.Recordings[0]
	left, right, err := stereo(filepath.Join(d.files(), rec.File))
	if err != nil {
		return err
	}
	for _, c := range []struct {
		who         string
		heard, said []int16
	}{{"the caller", left, caller}, {"the callee", right, callee}} {
		like := ears.Match(c.heard, c.said)
		d.say("recording %s has the voice of %s (likeness %.2f)", rec.ID, c.who, like)
		if like < alike {
			return fmt.Errorf("the recording %s does not have the voice of %s: likeness %.2f", rec.ID, c.who, like)
		}
	}
	return nil
}

// stereo reads the two channels of a recording.
func stereo(path string) (left, right []int16, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	const header = 44
	if len(b) < header {
		return nil, nil, fmt.Errorf("%s is too short for a WAV file", path)
	}
	for i := header; i+3 < len(b); i += 4 {
		left = append(left, int16(uint16(b[i])|uint16(b[i+1])<<8))
		right = append(right, int16(uint16(b[i+2])|uint16(b[i+3])<<8))
	}
	return left, right, nil
}

// loud is for how long samples are louder than a whisper.
func loud(samples []int16) time.Duration {
	var n int
	for i := 0; i+media.FrameSamples <= len(samples); i += media.FrameSamples {
		if power(samples[i:i+media.FrameSamples]) > 300*300 {
			n++
		}
	}
	return time.Duration(n) * media.FrameDuration
}

func power(s []int16) (p float64) {
	for _, v := range s {
		p += float64(v) * float64(v)
	}
	return p / float64(len(s))
}

// newLoopback listens on a free port of this machine only.
func newLoopback() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }
