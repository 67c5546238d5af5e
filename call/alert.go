package call

import "time"

// AlertType is what an Alert is about.
type AlertType string

const (
	AlertHookStatus  AlertType = "hook-status"      // an application answered with an error
	AlertHookSilent  AlertType = "hook-unreachable" // it could not be reached, or did not answer
	AlertHookAddress AlertType = "hook-address"     // its address cannot be asked
	AlertDocument    AlertType = "document"         // what it answered cannot be run
	AlertSpeech      AlertType = "speech"           // a text could not be spoken
	AlertSound       AlertType = "sound"            // a sound could not be played
	AlertRoute       AlertType = "route"            // no line leads to a called party
	AlertLimit       AlertType = "limit"            // a call was refused because of a limit
	AlertText        AlertType = "text"             // a text message was not sent, or reaches no application
)

// Alert is something that went wrong for a customer, for people to look at. It is a
// value.
type Alert struct {
	Time    time.Time `json:"time"` // of the first time
	Account string    `json:"account"`
	Type    AlertType `json:"type"`
	Text    string    `json:"text"` // one sentence
	Call    string    `json:"call,omitempty"`
	URL     string    `json:"url,omitempty"`    // without secrets
	Status  int       `json:"status,omitempty"` // of HTTP
	Count   int       `json:"count"`            // how often it happened within a minute
}
