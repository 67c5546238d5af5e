package main

// boardMetrics are the figures of the machine. What it does not tell is left out: a
// gauge of nothing would look like a cold processor.
func (a *app) boardMetrics() []metric {
	c := a.panel.condition()
	var out []metric
	gauge := func(name, help string, value float64) {
		out = append(out, metric{"callbox_board_" + name, help, "gauge", "", value})
	}
	counter := func(name, help string, value float64) {
		out = append(out, metric{"callbox_board_" + name + "_total", help, "counter", "", value})
	}
	if c.Temperature != 0 {
		gauge("temperature_celsius", "Temperature of the processor.", c.Temperature)
	}
	gauge("under_voltage", "1 when the supply's voltage has been too low since power-on.", one(c.UnderVoltage))
	gauge("throttled", "1 while the processor is held back because of heat or its supply.", one(c.Throttled))
	gauge("throttled_once", "1 when it was held back since power-on.", one(c.ThrottledOnce))
	if c.Wear != 0 {
		gauge("disk_wear_percent", "Share of its life that the data folder's disk has used, in steps of ten.", float64(c.Wear))
	}
	if c.Disk != "" {
		counter("disk_written_bytes", "Written to the data folder's disk since power-on.", float64(c.Written))
	}
	gauge("uptime_seconds", "Time since power-on.", c.Up.Seconds())
	gauge("clock_set", "1 when the clock shows a time that can be.", one(c.ClockSet))
	gauge("clock_kept", "1 when a time server keeps the clock.", one(c.ClockKept))
	gauge("rtc", "1 when the machine has a clock with a battery.", one(c.RTC != ""))
	gauge("watchdog", "1 while the hardware watchdog runs.", one(a.panel.watched.Load()))
	counter("watchdog_fed", "How often the watchdog was fed because the box did its work.", float64(a.panel.fed.Load()))
	counter("watchdog_starved", "How often it was not.", float64(a.panel.starved.Load()))
	gauge("problems", "Parts of the board that do not work.", float64(len(a.board.Problems)))
	gauge("warnings", "Things that somebody should do something about, as callbox board lists them.", float64(len(c.Warnings())))
	return out
}

// one is 1 for true.
func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
