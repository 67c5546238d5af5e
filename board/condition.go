package board

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"
)

const (
	hot = 80.0 // °C; a Raspberry Pi slows down from there on
	// wornOut is the share of its life that flash memory may have used, in percent.
	wornOut = 80
	// busyWriting is how much a day's writing is too much for an SD card, in bytes.
	busyWriting = 20 << 30
	sectorBytes = 512 // of /sys/block/*/stat, whatever the disk's own are
)

// earliest is a time before which this program cannot have been built: a clock that
// says less was never set.
func earliest() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// Condition is how the machine is. What it does not tell is zero.
type Condition struct {
	Temperature  float64 // °C, of the processor
	UnderVoltage bool    // since power-on
	// Throttled says that the processor runs slower than it can, now, because of heat
	// or its supply; ThrottledOnce that it did since power-on. A Raspberry Pi tells it.
	Throttled, ThrottledOnce bool
	Disk                     string // of the data folder: "mmcblk0"
	// Wear is the share of the disk's life that is used, in percent, rounded up to
	// tens; only eMMC tells it.
	Wear int
	// Written is what was written to the disk since power-on, in bytes.
	Written uint64
	Up      time.Duration // since power-on
	// ClockSet says that the clock shows a time that can be, ClockKept that the kernel
	// is told it by a time server. RTC is the name of the clock with a battery.
	ClockSet, ClockKept bool
	RTC                 string
	// ClockFrom is who has set the clock in this run, other than a time server; empty:
	// nobody.
	ClockFrom string
}

// ReadCondition reads how the machine with the file tree root is. disk is the device
// number of the data folder, "179:2"; synced is whether the kernel's clock is kept by a
// time server.
func ReadCondition(root fs.FS, disk string, now time.Time, synced bool) Condition {
	c := Condition{ClockSet: !now.Before(earliest()), ClockKept: synced}
	if n, err := strconv.ParseFloat(text(root, "sys/class/thermal/thermal_zone0/temp"), 64); err == nil {
		c.Temperature = n / 1000
	}
	hwmon, _ := fs.Glob(root, "sys/class/hwmon/*/name")
	for _, f := range hwmon {
		if text(root, f) == "rpi_volt" {
			c.UnderVoltage = text(root, path.Join(path.Dir(f), "in0_lcrit_alarm")) == "1"
		}
	}
	c.readThrottled(root)
	up, _, _ := strings.Cut(text(root, "proc/uptime"), " ")
	if s, err := strconv.ParseFloat(up, 64); err == nil {
		c.Up = time.Duration(s * float64(time.Second))
	}
	c.RTC = text(root, "sys/class/rtc/rtc0/name")
	c.readDisk(root, disk)
	return c
}

// The bits of a Raspberry Pi's get_throttled: what is now, and 16 bits above what has
// been since power-on (raspberrypi.com, vcgencmd).
const (
	lowSupply   = 1 << 0
	cappedSpeed = 1 << 1
	slowed      = 1 << 2
	softLimit   = 1 << 3
	sinceStart  = 16
)

// readThrottled reads what a Raspberry Pi's firmware says of its speed.
func (c *Condition) readThrottled(root fs.FS) {
	files, _ := fs.Glob(root, "sys/devices/platform/soc*/*firmware/get_throttled")
	for _, f := range files {
		n, err := strconv.ParseUint(strings.TrimPrefix(text(root, f), "0x"), 16, 32)
		if err != nil {
			continue
		}
		const slow = cappedSpeed | slowed | softLimit
		c.Throttled, c.ThrottledOnce = n&slow != 0, (n|n>>sinceStart)&slow != 0
		c.UnderVoltage = c.UnderVoltage || (n|n>>sinceStart)&lowSupply != 0
	}
}

// readDisk reads what the disk with a partition tells of itself.
func (c *Condition) readDisk(root fs.FS, number string) {
	for line := range strings.Lines(text(root, "sys/dev/block/"+number+"/uevent")) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "DEVNAME="); ok {
			c.Disk = wholeDisk(root, name)
		}
	}
	if c.Disk == "" {
		return
	}
	if f := strings.Fields(text(root, "sys/block/"+c.Disk+"/stat")); len(f) > 6 {
		n, _ := strconv.ParseUint(f[6], 10, 64)
		c.Written = n * sectorBytes
	}
	for _, f := range strings.Fields(text(root, "sys/block/"+c.Disk+"/device/life_time")) {
		if n, err := strconv.ParseInt(f, 0, 16); err == nil {
			c.Wear = max(c.Wear, int(n)*10)
		}
	}
}

// wholeDisk is the disk of a partition: "mmcblk0" of "mmcblk0p2", "sda" of "sda1".
func wholeDisk(root fs.FS, name string) string {
	for ; name != ""; name = name[:len(name)-1] {
		if _, err := fs.Stat(root, "sys/block/"+name); err == nil {
			return name
		}
	}
	return ""
}

// text is a file of one line; what cannot be read is empty.
func text(root fs.FS, name string) string {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// Warnings says in sentences what somebody should do something about.
func (c Condition) Warnings() []string {
	var out []string
	if !c.ClockSet {
		s := "the clock is not set: times in call records and certificates are wrong until a time server is reached"
		if c.RTC == "" {
			s += "; this machine has no clock with a battery"
		}
		out = append(out, s)
	}
	if c.Temperature >= hot {
		out = append(out, fmt.Sprintf("the processor has %.0f °C and slows down: give the box air", c.Temperature))
	}
	if c.UnderVoltage {
		out = append(out, "the supply's voltage has been too low since power-on: use a stronger supply, a shorter cable, and a powered hub for modems")
	}
	if c.Throttled && c.Temperature < hot {
		out = append(out, "the processor is held back below its full speed: look at the supply and at the box's air")
	}
	if c.Wear >= wornOut {
		out = append(out, fmt.Sprintf("%s has used %d %% of its life: replace it soon", c.Disk, c.Wear))
	}
	if day := c.perDay(); day > busyWriting && strings.HasPrefix(c.Disk, "mmcblk") {
		out = append(out, fmt.Sprintf("%d GB are written to %s a day, which wears an SD card out: put the data folder on a USB disk", day>>30, c.Disk))
	}
	return out
}

// perDay is how much is written in a day, in bytes; 0 in the first hour.
func (c Condition) perDay() uint64 {
	if c.Up < time.Hour {
		return 0
	}
	return uint64(float64(c.Written) / c.Up.Hours() * 24)
}
