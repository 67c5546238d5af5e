package laml

import (
	"slices"
	"strings"

	"callbox/api"
)

// absent are the resources that the family's services have and this box, or one
// of its dialects, has not, by a part of their path: why, and what there is
// instead.
var absent = map[string]string{
	"SMS":                             "text messages are Messages",
	"Media":                           "messages are text only",
	"Queues":                          "this API has none; the others of the box do",
	"SIP":                             "phones register with the users of the box's configuration",
	"IpAccessControlLists":            "phones prove who they are by credentials, and peers without them are trunks of the box's configuration",
	"IpAccessControlListMappings":     "phones prove who they are by credentials, and peers without them are trunks of the box's configuration",
	"Trunks":                          "trunks are part of the box's configuration",
	"AvailablePhoneNumbers":           "numbers are those of the box's lines; add them as IncomingPhoneNumbers",
	"Transcriptions":                  "there is no recogniser for whole calls and recordings",
	"AddOnResults":                    "there are no add-ons",
	"Addresses":                       "numbers have no postal addresses",
	"Events":                          "what happens to a call is in the box's log and its callbacks",
	"Notifications":                   "the warnings of a call are below the call",
	"Siprec":                          "calls are recorded on the box itself",
	"Payments":                        "payments are not available",
	"UserDefinedMessages":             "calls from browsers are not available",
	"UserDefinedMessageSubscriptions": "calls from browsers are not available",
	"Feedback":                        "the records of calls tell how their sound was",
	"ConnectApps":                     "there are no apps of others",
	"AuthorizedConnectApps":           "there are no apps of others",
	"ShortCodes":                      "short numbers are IncomingPhoneNumbers like all others",
	"Tokens":                          "calls from browsers are not available",
}

// absentOf says why there is nothing at a path below an account.
func absentOf(path, suffix string) error {
	if suffix == ".mp3" {
		return refuse(CodeNotFound, "This box keeps recordings as WAV: end the address with .wav instead of .mp3")
	}
	for _, name := range slices.Backward(strings.Split(path, "/")) {
		if why, ok := absent[name]; ok {
			return refuse(CodeNotFound, "This box has no %s: %s", name, why)
		}
	}
	return api.ErrNoPath
}
