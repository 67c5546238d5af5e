// Package bench measures the built gateway beside three programs of its kind in
// the same run: a bare sipgo user agent for setting calls up, for TLS and for
// memory, Debian's Kamailio for registrations, and its rtpengine in user space for
// carrying sound; and what is done with sound (transcoding, SRTP, recording, machine
// detection, conferences) beside plain relaying. It holds a test program only, behind the build tag bench; `make
// bench` builds it, installs Kamailio and rtpengine when missing, and prints one
// table.
//
// A figure means nothing by itself, because the machine is shared: what counts
// is the ratio of two figures of one round. Each round measures the programs
// one after the other, each as a fresh process, and the table shows the median
// ratio with the smallest and largest beside it.
//
//	caller --INVITE--> gateway --INVITE--> callee      signalling, a few lines of
//	       <--200----          <--200----              text written by hand
//	ear A  <===RTP===> gateway <===RTP===> ear B       sound with marks in it
//
// Nothing here is a test in the sense of right or wrong: a goal that is missed
// is printed, not failed. It may import everything, and of third-party modules
// sipgo for the program to compare with; of the gateway it uses only what a
// user sees, the binary, its command line and its ports, and storage to fill a
// data folder with the calls of months. Its own judge of sound
// is tested in the same package, behind the same tag.
package bench
