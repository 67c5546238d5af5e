// Package bus moves levels and sound between the box and its chips on Linux: it
// implements the bus interfaces of hal for the drivers.
//
//   - gpio.go: lines of the GPIO character device ([OpenInput], [OpenOutput],
//     [OpenDrain]) through go-gpiocdev, which gives each edge the kernel's time.
//   - card.go, channel.go: an ALSA sound card ([OpenCard]) through gen2brain/alsa,
//     cut into one [hal.PCM] per channel, so that a stereo codec serves two
//     phones. A card that stops working is opened again by itself.
//   - tty.go: a serial device that carries sound ([OpenTTY]), whose writer never
//     waits; usb.go finds serial devices by what they belong to ([USBTTYs]), usbcard.go
//     a device's sound card ([USBCard]).
//   - led.go, watchdog.go: lights that the kernel has, and its hardware watchdog.
//   - serial.go: a serial port ([OpenSerial]) through go.bug.st/serial, which no
//     other program can open meanwhile and whose writer never waits.
//   - trace.go: [Trace] writes down what passes over any of them.
//
// It may import hal. It is tested with fake lines and fake streams (xrun,
// suspend, unplug, odd block sizes) and on pseudo terminals; the calls into the kernel themselves need
// hardware, or the kernel's gpio-sim and snd-aloop modules.
package bus
