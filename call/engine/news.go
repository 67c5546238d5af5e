package engine

import (
	"slices"
	"sync"

	"callbox/call/script"
)

// stage is where a child stands in the eyes of the Dial that made it.
type stage int

const (
	childTrying   stage = iota // an attempt is under way, nothing is heard yet
	childRinging               // its phone rings
	childEarly                 // it sends sound before the answer
	childScreened              // answered, and being prepared for the connection
	childReady                 // connect it
	childTakes                 // connect it in place of another, which rings
	childLeft                  // it was redirected to a document of its own
	childEnded
)

// standing is a stage, of one attempt: a child whose line failed tries another,
// and its early sound is then that of another leg.
type standing struct {
	stage   stage
	attempt int
	instead *live // childTakes
	refused script.Refusal
}

// news is how children tell a Dial where they stand. It keeps the latest
// standing of each child only, so that it is bounded, and telling never blocks,
// also when the Dial no longer listens.
type news struct {
	more chan struct{} // holds one token while there may be something fresh

	mu    sync.Mutex // guards what follows
	fresh []*live    // children with news, each once, in order of their latest
	at    map[*live]standing
	over  bool // the Dial has ended
}

func newNews() *news { return &news{more: make(chan struct{}, 1), at: map[*live]standing{}} }

// tell is called on the child's goroutine. False: the Dial has ended, and nobody
// will hear of it.
func (n *news) tell(c *live, s standing) bool {
	n.mu.Lock()
	if n.over {
		n.mu.Unlock()
		return false
	}
	n.at[c] = s
	if i := slices.Index(n.fresh, c); i >= 0 {
		n.fresh = slices.Delete(n.fresh, i, i+1)
	}
	n.fresh = append(n.fresh, c)
	n.mu.Unlock()
	n.signal()
	return true
}

// close says that the Dial has ended, and gives those who wanted to take the place
// of a child and were not heard any more.
func (n *news) close() (late []*live) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.over = true
	for _, c := range n.fresh {
		if n.at[c].stage == childTakes {
			late = append(late, c)
		}
	}
	n.fresh, n.at = nil, nil
	return late
}

func (n *news) signal() {
	select {
	case n.more <- struct{}{}:
	default:
	}
}

// take gives the oldest news; ok is false when there is none.
func (n *news) take() (c *live, s standing, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.fresh) == 0 {
		return nil, standing{}, false
	}
	c = n.fresh[0]
	n.fresh = slices.Delete(n.fresh, 0, 1)
	if len(n.fresh) > 0 {
		n.signal()
	}
	s = n.at[c]
	delete(n.at, c)
	return c, s, true
}

// tellParent tells the Dial that made this call where it stands.
func (c *live) tellParent(s stage) {
	if c.watch != nil {
		c.watch.tell(c, standing{stage: s, attempt: c.attempt, refused: c.refused})
	}
}
