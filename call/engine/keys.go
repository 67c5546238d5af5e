package engine

import (
	"context"
	"sync"
	"sync/atomic"

	"callbox/call"
)

// maxKeys bounds the key presses that wait for a script; later ones are
// dropped and counted.
const maxKeys = 64

// keys is the queue of pressed keys between the call's goroutine and its script.
type keys struct {
	mu      sync.Mutex
	pressed []byte        // at most maxKeys
	more    chan struct{} // holds one token while pressed may be non-empty
	lost    *atomic.Int64 // counts presses beyond maxKeys
}

func newKeys(lost *atomic.Int64) *keys { return &keys{more: make(chan struct{}, 1), lost: lost} }

// press adds a key.
func (k *keys) press(d byte) {
	k.mu.Lock()
	if len(k.pressed) < maxKeys {
		k.pressed = append(k.pressed, d)
	} else {
		k.lost.Add(1)
	}
	k.mu.Unlock()
	select {
	case k.more <- struct{}{}:
	default:
	}
}

// drop forgets all.
func (k *keys) drop() {
	k.mu.Lock()
	k.pressed = k.pressed[:0]
	k.mu.Unlock()
}

// next waits for a key, for the end of ctx, or for over, the end of the call.
// Keys that were pressed before the end are still given.
func (k *keys) next(ctx context.Context, over <-chan struct{}) (byte, error) {
	for {
		k.mu.Lock()
		if len(k.pressed) > 0 {
			d := k.pressed[0]
			k.pressed = append(k.pressed[:0], k.pressed[1:]...)
			k.mu.Unlock()
			return d, nil
		}
		k.mu.Unlock()
		select {
		case <-k.more:
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-over:
			return 0, call.ErrEnded
		}
	}
}
