package cell

// Card is a SIM.
type Card struct {
	IMSI, ICCID string
	PIN         string // empty: it asks for none
	PUK         string // empty: "12345678"
	Spent       int    // tries of the PIN that were wrong before
}

// Tries that a new card has.
const (
	pinTries = 3
	pukTries = 10
)

// card is a card in use; it is the modem's goroutine's.
type card struct {
	Card
	open     bool // the PIN was given
	pin, puk int  // tries left
	asked    int  // questions answered with "busy"
}

func newCard(c Card) *card {
	if c.PUK == "" {
		c.PUK = "12345678"
	}
	return &card{Card: c, open: c.PIN == "", pin: max(pinTries-c.Spent, 0), puk: pukTries}
}

// reset is what a loss of power does.
func (c *card) reset() { c.open, c.asked = c.PIN == "", 0 }

// state is what +CPIN? tells.
func (c *card) state() string {
	switch {
	case c.pin == 0:
		return "SIM PUK"
	case !c.open:
		return "SIM PIN"
	}
	return "READY"
}

// enter tries a PIN.
func (c *card) enter(pin string) bool {
	if c.pin == 0 || pin != c.PIN {
		c.pin = max(c.pin-1, 0)
		return false
	}
	c.pin, c.open = pinTries, true
	return true
}

// unblock tries a PUK and sets another PIN.
func (c *card) unblock(puk, pin string) bool {
	if c.puk == 0 || puk != c.PUK {
		c.puk = max(c.puk-1, 0)
		return false
	}
	c.PIN, c.pin, c.puk, c.open = pin, pinTries, pukTries, true
	return true
}
