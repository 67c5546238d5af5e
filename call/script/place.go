package script

import "sync"

// Place is where a run stands. Its methods may be called concurrently; the zero
// value stands nowhere.
type Place struct {
	mu    sync.Mutex // guards what follows
	verbs []Verb
	fed   bool
}

// at notes the verb that runs, with those behind it; fed says that an application
// stays connected and may give others.
func (p *Place) at(verbs []Verb, fed bool) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.verbs, p.fed = verbs, fed
}

// Verbs are those with which another call would go on from here: the one that runs,
// which begins anew, and those behind it. There are none before the first, behind the
// last, and when the application goes on with this call only.
func (p *Place) Verbs() []Verb {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fed {
		return nil
	}
	return p.verbs
}
