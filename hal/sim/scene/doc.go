// Package scene plays what people at simulated far sides do, and what goes wrong with
// them, from a file, for demonstrations and tests.
//
//	title: A modem that hangs
//	country: DE                     # of exchanges, tones and numbers, while it plays
//	steps:
//	- {port: gsm1, fault: hung, value: on}
//	- {port: fxs1, do: pick-up, after: 2s}
//	- {port: fxs1, do: press, with: "102"}
//	- {port: fxs2, do: wait-ring, within: 20s}
//	- {port: fxs2, do: pick-up}
//	- {port: fxs1, say: hello.wav, beside: true}
//	- {port: fxs2, state: hook, is: off-hook}
//
// A [Scene] has [Step]s, done one after the other. Each is an act, a fault, speech, or
// the wait for a state, as the far side lists them. What was switched is switched back
// at the end. [Scene.Play] plays on a [Stage], which is a running gateway.
//
// It imports nothing of ours. It is tested with a stage in a testing/synctest bubble;
// the whole program plays a file in its tests.
package scene
