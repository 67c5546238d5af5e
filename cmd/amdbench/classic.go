package main

import (
	"time"

	"callbox/media"
)

// classic is the algorithm that telephone systems have had for twenty years, in
// our own words and with its usual defaults: a frame whose mean absolute sample is
// below 256 is silence, nothing is learnt about the line.
type classic struct {
	initial, greeting, after, total, wordGap, word time.Duration
	words                                          int

	at, silence, voice, spoken time.Duration
	inWord                     bool
	heard                      int
	begun                      bool
}

func newClassic() *classic {
	return &classic{initial: 2500 * time.Millisecond, greeting: 1500 * time.Millisecond, after: 800 * time.Millisecond,
		total: 5 * time.Second, wordGap: 50 * time.Millisecond, word: 100 * time.Millisecond, words: 3}
}

// write takes a frame and gives "human", "machine" or "unknown" when it has
// decided.
func (c *classic) write(f *media.Frame) string {
	var sum int
	for _, v := range f {
		sum += max(int(v), -int(v))
	}
	c.at += media.FrameDuration
	if sum/len(f) < 256 {
		c.silence += media.FrameDuration
		if c.silence >= c.wordGap {
			c.inWord, c.voice = false, 0
		}
		switch {
		case !c.begun && c.silence >= c.initial:
			return "machine"
		case c.begun && c.silence >= c.after:
			return "human"
		}
	} else {
		c.silence = 0
		c.voice += media.FrameDuration
		if c.voice >= c.word && !c.inWord {
			c.inWord, c.begun = true, true
			if c.heard++; c.heard >= c.words {
				return "machine"
			}
		}
		if c.begun {
			if c.spoken += media.FrameDuration; c.spoken >= c.greeting {
				return "machine"
			}
		}
	}
	if c.at >= c.total {
		return "unknown"
	}
	return ""
}
