package bus

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gen2brain/alsa"
)

// mixer sets the controls of a sound card; tests replace it.
type mixer interface {
	// set sets a control on all channels: a level in percent of its range, a switch to
	// on unless percent is 0.
	set(control string, percent int) error
}

// setLevels sets all controls. What cannot be set does not keep others from being.
func setLevels(m mixer, levels map[string]int) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(levels)) {
		if err := m.set(name, levels[name]); err != nil {
			errs = append(errs, fmt.Errorf("control %q to %d %%: %w", name, levels[name], err))
		}
	}
	return errors.Join(errs...)
}

// mixCard sets the controls of card n.
func mixCard(n uint, levels map[string]int) error {
	if len(levels) == 0 {
		return nil
	}
	m, err := alsa.MixerOpen(n)
	if err != nil {
		return fmt.Errorf("open the mixer: %w", err)
	}
	return errors.Join(setLevels(alsaMixer{m}, levels), m.Close())
}

// alsaMixer is the mixer of a card.
type alsaMixer struct{ *alsa.Mixer }

func (m alsaMixer) set(control string, percent int) error {
	c, err := m.CtlByName(control)
	if err != nil {
		return err
	}
	for i := range uint(c.NumValues()) {
		switch c.Type() {
		case alsa.SNDRV_CTL_ELEM_TYPE_INTEGER:
			err = c.SetPercent(i, percent)
		case alsa.SNDRV_CTL_ELEM_TYPE_BOOLEAN:
			err = c.SetValue(i, min(percent, 1))
		default:
			err = fmt.Errorf("it is neither a level nor a switch, but %s", c.TypeString())
		}
		if err != nil {
			return err
		}
	}
	return nil
}
