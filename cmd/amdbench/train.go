package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"go/format"
	"math"
	"os"
	"slices"

	"callbox/media"
	"callbox/media/amd"
	"callbox/media/amd/corpus"
)

type trainCommand struct {
	File  string `arg:"" help:"Go file to write, media/amd/model.go."`
	Clips int    `default:"4000" help:"How many clips to learn from."`
	Trees int    `default:"120" help:"How many trees."`
}

// Limits of the training.
const (
	step      = 5     // frames between two examples of a clip
	longest   = 7.0   // s of speech after which the answer is known anyway
	quietest  = 2.2   // s of silence after which it is
	learning  = 0.15  // share of a tree's answer that counts
	prior     = 4.0   // L2 of the leaves, in examples of weight 1/4
	leastLeaf = 400.0 // examples: about ten clips
	cuts      = 64    // limits that are tried of each feature
	justice   = 1.6   // weight of people beside machines: an error on them costs more
	depth     = 3
)

// example is what was measured at a moment of a clip.
type example struct {
	x       amd.Features
	bin     [amd.NumFeatures]uint8
	machine bool
	weight  float64
	sum     float64 // of the trees so far
	g, h    float64 // first and second derivative of the loss
	node    int
}

// Run trains.
func (c *trainCommand) Run(ctx context.Context) error {
	byClip := make([][]example, c.Clips)
	err := forEach(ctx, corpus.Train, c.Clips, func(i int, clip *corpus.Clip) error {
		byClip[i] = examplesOf(clip)
		return nil
	})
	if err != nil {
		return err
	}
	return c.learn(byClip)
}

// learn makes the table of what was measured of each clip.
func (c *trainCommand) learn(byClip [][]example) error {
	all := slices.Concat(byClip...)
	limits := limitsOf(all)
	for i := range all {
		e := &all[i]
		for f := range limits {
			n, _ := slices.BinarySearchFunc(limits[f], e.x[f], func(limit, v float32) int {
				if limit <= v {
					return -1
				}
				return 1
			})
			e.bin[f] = uint8(n)
		}
	}
	var pos, neg float64
	for _, e := range all {
		if e.machine {
			pos += e.weight
		} else {
			neg += e.weight
		}
	}
	bias := math.Log(pos / neg)
	for i := range all {
		all[i].sum = bias
	}
	trees := make([]grown, c.Trees)
	for i := range trees {
		trees[i] = grow(all, limits)
	}
	fmt.Printf("%d clips, %d examples, %d trees\n", c.Clips, len(all), len(trees))
	return write(c.File, bias, trees)
}

// examplesOf measures a clip at every moment at which a decision could be made.
func examplesOf(clip *corpus.Clip) []example {
	if clip.Truth != corpus.Human && clip.Truth != corpus.Machine {
		return nil
	}
	var list []example
	m := amd.NewMeter()
	n := 0
	frames(clip, func(f *media.Frame) bool {
		m.Write(f)
		x, ok := m.Features()
		if n++; ok && n%step == 0 {
			e := example{x: x, machine: clip.Truth == corpus.Machine, weight: 1}
			if !e.machine {
				e.weight = justice
			}
			list = append(list, e)
		}
		return !m.TonesTell() && x[amd.Span] < longest && x[amd.Quiet] < quietest
	})
	return list
}

// limitsOf chooses the limits that are tried of each feature: quantiles.
func limitsOf(all []example) (limits [amd.NumFeatures][]float32) {
	values := make([]float32, len(all))
	for f := range limits {
		for i := range all {
			values[i] = all[i].x[f]
		}
		slices.Sort(values)
		for k := 1; k < cuts; k++ {
			limits[f] = append(limits[f], values[k*len(values)/cuts])
		}
		limits[f] = slices.Compact(limits[f])
	}
	return limits
}

// grown is a tree of three questions one after the other.
type grown struct {
	feature [1<<depth - 1]int
	limit   [1<<depth - 1]float32
	leaf    [1 << depth]float64
}

// grow makes the next tree: node by node the question that lowers the loss most.
func grow(all []example, limits [amd.NumFeatures][]float32) (t grown) {
	for i := range all {
		e := &all[i]
		p := 1 / (1 + math.Exp(-e.sum))
		y := 0.0
		if e.machine {
			y = 1
		}
		e.g, e.h, e.node = e.weight*(p-y), e.weight*p*(1-p), 0
	}
	type total struct{ g, h, n float64 }
	first := 0
	for level := range depth {
		nodes := 1 << level
		hist := make([][amd.NumFeatures][cuts]total, nodes)
		for i := range all {
			e := &all[i]
			h := &hist[e.node-first]
			for f, b := range e.bin {
				c := &h[f][b]
				c.g, c.h, c.n = c.g+e.g, c.h+e.h, c.n+e.weight
			}
		}
		for k := range nodes {
			t.feature[first+k], t.limit[first+k] = 0, float32(math.Inf(1))
			best := 0.0
			for f := range limits {
				var sum, left total
				for _, c := range hist[k][f] {
					sum.g, sum.h, sum.n = sum.g+c.g, sum.h+c.h, sum.n+c.n
				}
				for b := range limits[f] {
					c := hist[k][f][b]
					left.g, left.h, left.n = left.g+c.g, left.h+c.h, left.n+c.n
					if left.n < leastLeaf || sum.n-left.n < leastLeaf {
						continue
					}
					right := total{g: sum.g - left.g, h: sum.h - left.h}
					gain := left.g*left.g/(left.h+prior) + right.g*right.g/(right.h+prior) - sum.g*sum.g/(sum.h+prior)
					if gain > best {
						best, t.feature[first+k], t.limit[first+k] = gain, f, limits[f][b]
					}
				}
			}
		}
		for i := range all {
			e := &all[i]
			if e.x[t.feature[e.node]] < t.limit[e.node] {
				e.node = 2*e.node + 1
			} else {
				e.node = 2*e.node + 2
			}
		}
		first = 2*first + 1
	}
	var g, h [1 << depth]float64
	for i := range all {
		k := all[i].node - first
		g[k], h[k] = g[k]+all[i].g, h[k]+all[i].h
	}
	for k := range t.leaf {
		t.leaf[k] = -learning * g[k] / (h[k] + prior)
	}
	for i := range all {
		all[i].sum += t.leaf[all[i].node-first]
	}
	return t
}

// write writes the table as Go source.
func write(file string, bias float64, trees []grown) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "package amd\n\n// Code generated by scripts/amd-train.sh; DO NOT EDIT.\n\nconst modelBias = %.6g\n\nvar model = [...]tree{\n", bias)
	use := map[int]int{}
	for _, t := range trees {
		fmt.Fprintf(&b, "{feature: [...]uint8{")
		for i, f := range t.feature {
			if !math.IsInf(float64(t.limit[i]), 0) {
				use[f]++
			}
			fmt.Fprintf(&b, "%d,", f)
		}
		fmt.Fprintf(&b, "}, limit: [...]float32{")
		for _, v := range t.limit {
			fmt.Fprintf(&b, "%.6g,", min(float64(v), 1e9))
		}
		fmt.Fprintf(&b, "}, leaf: [...]float32{")
		for _, v := range t.leaf {
			fmt.Fprintf(&b, "%.5g,", v)
		}
		fmt.Fprintf(&b, "}},\n")
	}
	fmt.Fprintf(&b, "}\n")
	src, err := format.Source(b.Bytes())
	if err != nil {
		return fmt.Errorf("the table is not Go: %w", err)
	}
	var names []int
	for f := range use {
		names = append(names, f)
	}
	slices.SortFunc(names, func(a, b int) int { return cmp.Or(use[b]-use[a], a-b) })
	for _, f := range names {
		fmt.Printf("%4d questions about %s\n", use[f], amd.FeatureNames[f])
	}
	return os.WriteFile(file, src, 0o644)
}
