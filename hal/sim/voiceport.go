package sim

import (
	"bytes"
	"io"
)

// Plug connects the modem by far, the far end of a wire or of a pty. Unplug, or
// another Plug, ends that. Into a modem that was closed nothing can be plugged: far is
// closed.
func (v *VoiceModem) Plug(far io.ReadWriteCloser) {
	old := v.replace(far)
	if old != nil {
		old.Close() //nolint:errcheck // it is being replaced
	}
}

// replace takes far into use and gives what is not in use any more.
func (v *VoiceModem) replace(far io.ReadWriteCloser) (old io.Closer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	select {
	case <-v.done:
		return far
	default:
	}
	if v.far != nil {
		old = v.far
	}
	v.far = far
	v.gen++
	gen := v.gen
	v.out = nil
	v.cond.Broadcast()
	v.wg.Go(func() { v.read(far, gen) })
	v.wg.Go(func() { v.write(far, gen) })
	return old
}

// Unplug pulls the modem out: its memory is lost, and the line is on-hook.
func (v *VoiceModem) Unplug() {
	v.mu.Lock()
	far := v.far
	v.far = nil
	v.gen++
	v.out = nil
	v.reset()
	v.setHook(false)
	v.cond.Broadcast()
	v.mu.Unlock()
	if far != nil {
		far.Close() //nolint:errcheck // unplugged
	}
}

// Close unplugs it for good.
func (v *VoiceModem) Close() error {
	v.once.Do(func() { close(v.done) })
	v.Unplug()
	v.wg.Wait()
	return nil
}

// read takes what the box writes.
func (v *VoiceModem) read(far io.Reader, gen int) {
	var b [512]byte
	for {
		n, err := far.Read(b[:])
		if err != nil {
			return
		}
		v.mu.Lock()
		v.spoil(b[:n])
		for _, c := range b[:n] {
			// A full buffer makes the box wait, as USB does.
			for v.duplex && len(v.tx) >= txRoom && v.gen == gen {
				v.cond.Wait()
			}
			if v.gen != gen {
				v.mu.Unlock()
				return
			}
			v.take(c)
		}
		v.mu.Unlock()
	}
}

// spoil corrupts bytes; v.mu is held.
func (v *VoiceModem) spoil(b []byte) {
	if v.faults.Corrupt <= 0 {
		return
	}
	for i := range b {
		if v.rnd.Float64() < v.faults.Corrupt {
			b[i] = byte(v.rnd.Uint32())
		}
	}
}

// write sends what the modem says.
func (v *VoiceModem) write(far io.Writer, gen int) {
	for {
		v.mu.Lock()
		for len(v.out) == 0 && v.gen == gen {
			v.cond.Wait()
		}
		if v.gen != gen {
			v.mu.Unlock()
			return
		}
		n := len(v.out)
		if v.faults.Split {
			n = 1 + v.rnd.IntN(min(n, 40))
		}
		b := bytes.Clone(v.out[:n])
		v.out = v.out[:copy(v.out, v.out[n:])]
		v.spoil(b)
		v.mu.Unlock()
		if _, err := far.Write(b); err != nil {
			return
		}
	}
}

// send queues bytes; v.mu is held.
func (v *VoiceModem) send(b ...byte) {
	if v.far == nil || v.faults.Mute {
		return
	}
	if len(v.out)+len(b) > outRoom {
		v.overruns++
		return
	}
	v.out = append(v.out, b...)
	v.cond.Broadcast()
}

// say sends a line; v.mu is held.
func (v *VoiceModem) say(line string) { v.send([]byte("\r\n" + line + "\r\n")...) }

// code sends an event shielded by DLE; v.mu is held.
func (v *VoiceModem) code(c byte) { v.send(dle, c) }
