package amd

import "math"

// The decision is a sum of small decision trees over the features (gradient
// boosting of the logistic loss; J. H. Friedman, Annals of Statistics 29, 2001).
// Its table is in model.go, which the trainer writes.

// depth of every tree: three questions, eight answers.
const depth = 3

// tree asks three questions: node 0, then 1 or 2, then one of 3 to 6. A feature
// below the limit goes left.
type tree struct {
	feature [1<<depth - 1]uint8
	limit   [1<<depth - 1]float32
	leaf    [1 << depth]float32 // of the logarithm of the odds
}

func (t *tree) score(x *Features) float32 {
	at := 0
	for range depth {
		if x[t.feature[at]] < t.limit[at] {
			at = 2*at + 1
		} else {
			at = 2*at + 2
		}
	}
	return t.leaf[at-(1<<depth-1)]
}

// MachineProbability is how likely a machine speaks, 0 to 1, given what was
// measured. Anybody may call it.
func MachineProbability(x *Features) float64 {
	sum := float32(modelBias)
	for i := range model {
		sum += model[i].score(x)
	}
	return 1 / (1 + math.Exp(-float64(sum)))
}
