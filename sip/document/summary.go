package document

import (
	"fmt"
	"strings"
)

// MessageSummaryType is the media type of [MessageSummary] (RFC 3842 §3.5).
const MessageSummaryType = "application/simple-message-summary"

// Messages are the voice messages that wait for somebody. Each number is 0 or more;
// the urgent ones are counted in New and Old too.
type Messages struct{ New, Old, UrgentNew, UrgentOld int }

// MessageSummary is the document about the messages of account, a URI that is
// called to hear them; empty: it is not told.
func MessageSummary(account string, m Messages) []byte {
	waiting := "no"
	if m.New > 0 {
		waiting = "yes"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Messages-Waiting: %s\r\n", waiting)
	if account = strings.TrimSpace(plain(account)); account != "" {
		fmt.Fprintf(&b, "Message-Account: %s\r\n", account)
	}
	fmt.Fprintf(&b, "Voice-Message: %d/%d (%d/%d)\r\n", m.New, m.Old, m.UrgentNew, m.UrgentOld)
	return []byte(b.String())
}
