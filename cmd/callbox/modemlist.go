package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"callbox/api/admin"
	"callbox/hal"
)

// Modems implements admin.Modems.
func (g gateway) Modems() []admin.Modem {
	out := []admin.Modem{}
	for _, p := range g.a.board.Ports {
		if p.GSM != nil {
			out = append(out, modemState(p.Name, p.GSM.State()))
		}
	}
	if hub := g.a.board.Modems; hub != nil { // what is there and is no line
		odd := hub.Unclaimed()
		for _, place := range slices.Sorted(maps.Keys(odd)) {
			out = append(out, admin.Modem{Place: place, Text: odd[place], Counters: map[string]uint64{}, History: []admin.ModemNote{}})
		}
	}
	return out
}

// modemState is a modem's state as the control interface shows it.
func modemState(port string, s hal.ModemState) admin.Modem {
	m := admin.Modem{Port: port, Ready: s.OK, Since: s.Since, Text: s.Text, Busy: s.Busy, Place: s.Place, Maker: s.Maker, Model: s.Model, Firmware: s.Firmware,
		IMEI: s.IMEI, ICCID: s.ICCID, Number: s.Number, SIM: s.SIM, Network: s.Network, Operator: s.Operator, Roaming: s.Roaming, Signal: s.Signal, Voice: s.Voice, VoLTE: s.VoLTE,
		Warnings: s.Warnings, Counters: modemCounters(s.Counters), History: []admin.ModemNote{},
		Sound: admin.ModemSound{Path: s.Sound.Path, Live: s.Sound.Live, Seconds: s.Sound.Lasted.Seconds(), In: s.Sound.In, Out: s.Sound.Out,
			PeakIn: s.Sound.PeakIn, PeakOut: s.Sound.PeakOut, Report: s.Sound.Report}}
	for _, n := range s.History {
		m.History = append(m.History, admin.ModemNote(n))
	}
	return m
}

// modemCounters are the counters by their names.
func modemCounters(c hal.ModemCounters) map[string]uint64 {
	return map[string]uint64{
		"calls": c.Calls, "plugged": c.Plugged, "lost": c.Lost, "reopened": c.Reopened, "radio_resets": c.RadioResets, "restarts": c.Restarts,
		"power_keys": c.PowerKeys, "port_cycles": c.PortCycles,
		"timeouts": c.Timeouts, "ends_found_by_polling": c.SavedByPoll, "calls_without_sound": c.NoSound, "bytes_in": c.BytesIn, "bytes_out": c.BytesOut,
		"misaligned": c.Misaligned, "silent_frames": c.Silence, "dropped_frames": c.Dropped, "pauses": c.PausesForModem,
	}
}

// modemMetrics are the signal and the counters of each slot, sorted by name.
func (a *app) modemMetrics() []metric {
	var out []metric
	for _, p := range a.board.Ports {
		if p.GSM == nil {
			continue
		}
		s, labels := p.GSM.State(), fmt.Sprintf("port=%q", p.Name)
		if s.Signal != 0 {
			out = append(out, metric{"callbox_modem_signal_dbm", "Signal of a modem; left out while it is not known.", "gauge", labels, float64(s.Signal)})
		}
		for name, n := range modemCounters(s.Counters) {
			out = append(out, metric{"callbox_modem_" + name + "_total", "Of a modem: " + strings.ReplaceAll(name, "_", " ") + ".", "counter", labels, float64(n)})
		}
	}
	slices.SortStableFunc(out, func(x, y metric) int { return strings.Compare(x.name, y.name) })
	return out
}

// modemsCmd lists modems, or says all of one.
type modemsCmd struct {
	dataDir
	Port   string `arg:"" optional:"" help:"Say all of this one: what it is, why there is no sound, what happened."`
	Output string `short:"o" enum:"table,json" default:"table" help:"table or json."`
}

// Run lists them.
func (c *modemsCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	list, err := cl.Modems(ctx)
	if err != nil {
		return err
	}
	if c.Port != "" {
		i := slices.IndexFunc(list, func(m admin.Modem) bool { return m.Port == c.Port })
		if i < 0 {
			return fmt.Errorf("there is no slot %q for a modem", c.Port)
		}
		if c.Output == "json" {
			return printJSON(list[i])
		}
		return tellModem(list[i])
	}
	if c.Output == "json" {
		return printJSON(list)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "PORT\tREADY\tMODEL\tIMEI\tNUMBER\tSIGNAL\tSTATUS")
	for _, m := range list {
		signal := ""
		if m.Signal != 0 {
			signal = fmt.Sprintf("%d dBm", m.Signal)
		}
		fmt.Fprintf(w, "%s\t%v\t%s\t%s\t%s\t%s\t%s\n", m.Port, m.Ready, m.Model, m.IMEI, m.Number, signal, m.Text)
	}
	return w.Flush()
}

// tellModem says all of a modem.
func tellModem(m admin.Modem) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, value)
		}
	}
	row("port", m.Port)
	row("status", m.Text)
	row("modem", strings.TrimSpace(m.Maker+" "+m.Model))
	row("firmware", m.Firmware)
	row("IMEI", m.IMEI)
	row("place", m.Place)
	row("SIM", strings.TrimSpace(m.SIM+" "+m.ICCID))
	row("number", m.Number)
	row("network", strings.TrimSpace(m.Network+" "+m.Operator))
	if m.Signal != 0 {
		row("signal", fmt.Sprintf("%d dBm", m.Signal))
	}
	row("calls by", m.Voice)
	row("VoLTE", m.VoLTE)
	for _, x := range m.Warnings {
		row("warning", x)
	}
	for _, x := range m.Sound.Report {
		row("sound", x)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Counters)) {
		if n := m.Counters[name]; n > 0 {
			row(strings.ReplaceAll(name, "_", " "), fmt.Sprint(n))
		}
	}
	for _, n := range m.History {
		row(n.At.Local().Format(time.DateTime), n.Text)
	}
	return w.Flush()
}
