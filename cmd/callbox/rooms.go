package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"callbox/call"
	"callbox/call/engine"
	"callbox/call/room"
	"callbox/media"
	"callbox/media/tone"
	"callbox/storage"
)

// queuesBlob is under which name the queues are kept, without the calls in them.
const queuesBlob = "queues"

// queueTime bounds the keeping of the queues.
const queueTime = 10 * time.Second

// rooms gives what conferences and queues need besides the engine's own.
func (a *app) rooms() (engine.Rooms, error) {
	r := engine.Rooms{Bell: tone.Bell, SaveQueues: a.saveQueues, SaveConference: a.saveConference}
	music := sync.OnceValue(tone.Music) // made when somebody waits for the first time
	r.Music = func() media.Clip { return media.Loop(media.ClipOf(music()), 0) }
	var err error
	if r.Past, err = a.store.Conferences(); err != nil {
		return r, fmt.Errorf("read the conferences: %w", err)
	}
	blob, err := a.store.Blob(queuesBlob)
	switch {
	case errors.Is(err, storage.ErrNoBlob):
		return r, nil
	case err != nil:
		return r, fmt.Errorf("read the queues: %w", err)
	}
	if err := json.Unmarshal(blob, &r.Queues); err != nil {
		// Better without them than not at all: they are made again when they are used.
		a.log.Error("the queues that were set up cannot be read and are forgotten", "err", err)
	}
	return r, nil
}

// saveQueues keeps the queues over a restart.
func (a *app) saveQueues(list []call.Queue) error {
	blob, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("keep the queues: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), queueTime)
	defer cancel()
	return a.store.PutBlob(ctx, queuesBlob, blob)
}

// saveConference keeps a conference over a restart. It waits for other writes to go
// with: what is lost with the power is a conference that nobody was told of.
func (a *app) saveConference(c call.Conference) {
	if err := a.store.Enqueue(storage.Write{Conferences: []call.Conference{c}, Lazy: true}); err != nil {
		a.log.Error("a conference could not be kept", "conference", c.ID, "err", err)
	}
}

// queueSettings are the queues as the call APIs set them up.
func queueSettings(a *app) room.Queues { return room.Queues{House: a.engine.Rooms()} }
