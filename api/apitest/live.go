package apitest

import (
	"context"
	"fmt"
	"slices"

	"callbox/api"
	"callbox/call"
)

// live is what goes on beside the calls of a Box.
type live struct {
	streams []call.Stream
	changes []call.RecordingChange
}

var _ api.Live = (*Box)(nil)

// RecordingChanges are the changes of recordings that were accepted, oldest first.
func (b *Box) RecordingChanges() []call.RecordingChange {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.live.changes)
}

// Streamed are the streams that were started, oldest first.
func (b *Box) Streamed() []call.Stream {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.live.streams)
}

// up gives a call that is answered. The caller holds mu.
func (b *Box) up(account, id string) (*call.Record, error) {
	i, err := b.find(account, id)
	switch {
	case err != nil:
		return nil, err
	case b.records[i].State.Final():
		return nil, call.ErrEnded
	case b.records[i].State != call.InProgress:
		return nil, call.ErrWrongState
	}
	return &b.records[i], nil
}

// Record starts or changes a recording.
func (b *Box) Record(_ context.Context, account, id string, ch call.RecordingChange) (call.Recording, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	rec, err := b.up(account, id)
	if c, none := b.Meetings.Conference(account, id); none == nil {
		rec, err = &call.Record{API: c.API}, nil
	}
	if err == nil {
		err = b.takeFail()
	}
	if err != nil {
		return call.Recording{}, err
	}
	if ch.Start != nil {
		b.live.changes = append(b.live.changes, ch)
		r := call.Recording{ID: fmt.Sprintf("RE%032d", len(b.recordings)+1), Call: id, Account: account, API: rec.API, Status: call.RecordingRunning,
			Source: "StartCallRecordingAPI", Track: ch.Start.Track, Channels: ch.Start.Channels, Created: b.now, Started: b.now, Updated: b.now, Hook: ch.Start.Status}
		if rec.ID == "" {
			r.Conference, r.Source = id, "StartConferenceRecordingAPI"
		}
		b.recordings = slices.Insert(b.recordings, 0, r)
		rec.Recordings = append(rec.Recordings, r.ID)
		return r, nil
	}
	for i := range b.recordings {
		r := &b.recordings[i]
		if r.Call == id && (ch.ID == "" || r.ID == ch.ID) {
			if r.Status == call.RecordingStopped {
				return *r, call.ErrEnded
			}
			b.live.changes = append(b.live.changes, ch)
			r.Status = ch.Status
			return *r, nil
		}
	}
	return call.Recording{}, call.ErrNotFound
}

// StartStream notes a stream.
func (b *Box) StartStream(_ context.Context, account, id string, o call.StreamOptions) (call.Stream, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	rec, err := b.up(account, id)
	if err == nil {
		err = b.takeFail()
	}
	if err != nil {
		return call.Stream{}, err
	}
	s := call.Stream{ID: fmt.Sprintf("MZ%032d", len(b.live.streams)+1), Call: id, Account: account, API: rec.API,
		State: call.StreamRunning, Created: b.now, Updated: b.now, StreamOptions: o}
	b.live.streams = append(b.live.streams, s)
	return s, nil
}

// Streams are those that run.
func (b *Box) Streams(_ context.Context, account, id string) (list []call.Stream, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err = b.up(account, id)
	for _, s := range b.live.streams {
		if s.State == call.StreamRunning && s.Call == id {
			list = append(list, s)
		}
	}
	return list, err
}

// StopStream stops a stream.
func (b *Box) StopStream(_ context.Context, account, id, stream string) (call.Stream, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.up(account, id); err != nil {
		return call.Stream{}, err
	}
	for i := range b.live.streams {
		if s := &b.live.streams[i]; s.State == call.StreamRunning && (s.ID == stream || s.Name == stream) {
			s.State = call.StreamStopped
			return *s, nil
		}
	}
	return call.Stream{}, call.ErrNoStream
}
