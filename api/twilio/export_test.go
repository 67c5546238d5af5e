package twilio

// CreateParams is the table of Create Call.
var CreateParams = createParams
