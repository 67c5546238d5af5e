package engine

import (
	"sync"
	"time"

	"callbox/media"
)

// memFile is a recording in memory.
type memFile struct {
	mu        sync.Mutex
	samples   []int16
	channels  int
	whole     chan struct{} // when set, Finish waits for it
	fails     error         // what writing says above room samples
	room      int
	closed    int
	discarded bool
	trimmed   bool
}

type files struct{ w *world }

func (f files) Create(id string, channels int) (RecordingFile, string, error) {
	file := &memFile{channels: channels}
	if f.w.disk != nil {
		if err := f.w.disk(file); err != nil {
			return nil, "", err
		}
	}
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	f.w.files[id] = file
	return file, id + ".wav", nil
}

func (f *memFile) WriteSamples(s []int16) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails != nil && len(f.samples)+len(s) > f.room {
		f.samples = append(f.samples, s[:f.room-len(f.samples)]...)
		return f.fails
	}
	f.samples = append(f.samples, s...)
	return nil
}

func (f *memFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed++
	return nil
}

func (f *memFile) Discard() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.discarded = true
	return nil
}

func (f *memFile) Finish(trim bool) (time.Duration, int64, string, error) {
	if f.whole != nil {
		<-f.whole
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trimmed = trim
	return time.Duration(len(f.samples)/f.channels) * time.Second / media.SampleRate, int64(2 * len(f.samples)), "sum", nil
}
