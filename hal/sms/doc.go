// Package sms is the messages of a modem: text messages in PDU mode and USSD.
//
// Concepts, in order: [Encode] cuts a text into PDUs in the alphabet that takes
// the fewest of them, [Read] reads one that arrived, [Join] puts the parts of a
// long one together; all three are pure (3GPP TS 23.038, TS 23.040). A [Service] is
// the procedure on a modem, over whatever asks it AT commands: it sends, takes what
// arrives from the SIM once its receiver has it on disk, sweeps for what nobody
// told of, and holds USSD sessions (TS 27.005, TS 27.007 §7.15).
//
//	+CMTI: "ME",5 → AT+CMGR=5 → receiver saves → AT+CMGD=5
//
// It may import hal and hal/at, and is the only package that knows warthog618/sms.
// The PDUs are tested by golden vectors and fuzzed, the procedure with a simulated
// modem in testing/synctest bubbles.
package sms
