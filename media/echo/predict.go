package echo

const (
	lpcOrder  = 10
	lpcWindow = 288 // 36 ms: all that the shortest tail keeps
)

// predictor is a linear prediction of a sound, and so the filter that makes it
// flat (Levinson and Durbin).
type predictor struct {
	a        [lpcOrder + 1]float32 // a[0] is 1
	residual float32               // share of the power that cannot be predicted
	work     [lpcWindow]float32
}

// fit finds the prediction of s, lpcWindow samples, and gives its gain in power.
func (p *predictor) fit(s []float32) float64 {
	for i, v := range s[:lpcWindow] { // a window without edges: a parabola
		u := float32(2*i-lpcWindow+1) / lpcWindow
		p.work[i] = v * (1 - u*u)
	}
	var r [lpcOrder + 1]float64
	for k := range r {
		var sum float32
		x, y := p.work[k:], p.work[:lpcWindow-k]
		for i := range y {
			sum += x[i] * y[i]
		}
		r[k] = float64(sum)
	}
	return p.solve(r)
}

func (p *predictor) solve(r [lpcOrder + 1]float64) float64 {
	p.a, p.residual = [lpcOrder + 1]float32{1}, 1
	if r[0] <= 0 {
		return 1
	}
	var a, b [lpcOrder + 1]float64
	a[0] = 1
	e := r[0] * (1 + 1e-5) // white noise 50 dB below keeps it solvable
	first := e
	for i := 1; i <= lpcOrder; i++ {
		k := r[i]
		for j := 1; j < i; j++ {
			k += a[j] * r[i-j]
		}
		k /= -e
		b = a
		for j := 1; j < i; j++ {
			a[j] = b[j] + k*b[i-j]
		}
		a[i] = k
		e *= 1 - k*k
		if e <= first*1e-6 {
			break
		}
	}
	for i := range a {
		p.a[i] = float32(a[i])
	}
	p.residual = float32(e / first)
	return first / e
}

// at is the flat sound at the last of the lpcOrder+1 samples that s begins with.
func (p *predictor) at(s []float32) float32 {
	s = s[:lpcOrder+1]
	var v float32
	for k, a := range p.a {
		v += a * s[lpcOrder-k]
	}
	return v
}

// apply makes s flat; it has lpcOrder samples more than out.
func (p *predictor) apply(out, s []float32) {
	for i := range out {
		out[i] = p.at(s[i:])
	}
}

// noiseGain is what the filter makes of the power of noise.
func (p *predictor) noiseGain() float32 {
	var g float32
	for _, a := range p.a {
		g += a * a
	}
	return g
}
