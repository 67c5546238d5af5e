// Package fsk sends and reads the data that telephones show: who calls, and
// whether messages wait. It is 1,200 bit/s by frequency shift, Bell 202 in North
// America, V.23 elsewhere.
//
//	seizure           mark       type len data …       checksum  mark
//	0101 … 300 bits   180 bits   |____bytes, 8N1, LSB first____|  tail
//
// Concepts, in order: a [Message] is what there is to show; [Message.Encode] makes
// its bytes in one of two forms (Bellcore GR-30-CORE: SDMF with a number, MDMF with
// parameters; ETSI EN 300 659-3 has the same) and [Parse] reads them. A [Sender]
// turns bytes into sound, a [Receiver] sound into bytes. Neither allocates while it
// runs.
//
// It may import media. It is tested by its own two ends against each other with
// noise and other clocks, by a fuzz target, and by the Debian program minimodem in
// both directions.
package fsk
