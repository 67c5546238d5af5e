package verbs

import "callbox/api/jambonz/shape"

// Why verbs and properties cannot be used, in one place each.
const (
	noRooms       = "calls meet in a conference"
	vendorDecides = "the speech vendor decides on that"
	noAssistants  = "the box has no assistants and language models"
	noTransfer    = "sip:refer and referHook are the ways to transfer"
	wholeTexts    = "the box speaks whole texts"
)

// table is the language.
var table map[string]spec

func init() { // the makers of some verbs look into the table
	table = map[string]spec{
		"say":         {props: sayProps, make: (*decoder).say},
		"play":        {props: playProps, make: (*decoder).play},
		"pause":       {props: pauseProps, make: (*decoder).pause},
		"gather":      {props: gatherProps, make: (*decoder).gather},
		"dial":        {props: dialProps, make: (*decoder).dial},
		"hangup":      {props: hangupProps, make: (*decoder).hangup},
		"redirect":    {props: redirectProps, make: (*decoder).redirect},
		"dtmf":        {props: dtmfProps, make: (*decoder).dtmf},
		"tag":         {props: tagProps, make: (*decoder).tag},
		"answer":      {make: (*decoder).answer},
		"sip:decline": {props: declineProps, make: (*decoder).decline},
		"alert":       {props: alertProps, make: (*decoder).alert},
		"leave":       {make: (*decoder).leave},
		"conference":  {props: conferenceProps, make: (*decoder).conference},
		"enqueue":     {props: enqueueProps, make: (*decoder).enqueue},
		"dequeue":     {props: dequeueProps, make: (*decoder).dequeue},
		"config":      {props: configProps, make: (*decoder).config},
		"listen":      {props: listenProps, make: (*decoder).listen},
		"stream":      {props: listenProps, make: (*decoder).listen},
		"transcribe":  {props: transcribeProps, make: (*decoder).transcribe},
		"sip:request": {props: requestProps, make: (*decoder).request},
		"sip:refer":   {props: referProps, make: (*decoder).refer},
		"message":     {props: messageProps, make: (*decoder).message},
		"dub":         {props: DubProps, make: (*decoder).dub},
	}
	for name, why := range map[string]string{
		"room": noRooms, "transfer": noTransfer,
		"lex": noAssistants, "dialogflow": noAssistants, "rasa": noAssistants, "llm": noAssistants, "s2s": noAssistants, "agent": noAssistants,
		"pipeline": noAssistants, "openai_s2s": noAssistants, "google_s2s": noAssistants, "elevenlabs_s2s": noAssistants, "deepgram_s2s": noAssistants,
		"ultravox_s2s": noAssistants, "qwen_s2s": noAssistants, "gptlive_s2s": noAssistants,
	} {
		table[name] = spec{unable: why}
	}
}

// DubProps are the properties of dub, which a change of a call has too.
var DubProps = shape.Props{
	"action": {Type: shape.Text, Need: true, Enum: []string{"addTrack", "removeTrack", "silenceTrack", "playOnTrack", "sayOnTrack"}},
	"track":  {Type: shape.Text, Need: true},
	"play":   {Type: shape.Text},
	"say":    {Type: shape.Text | shape.Map},
	"loop":   {Type: shape.Bool},
	"gain":   {Type: shape.Number | shape.Text},
}

// number is a number that may be written as a text too.
const number = shape.Number | shape.Text

// synthesizerProps are the properties of a synthesizer.
var synthesizerProps = shape.Props{
	"vendor": {Type: shape.Text, Need: true}, "label": {Type: shape.Text}, "language": {Type: shape.Text}, "voice": {Type: shape.Text | shape.Map},
	"fallbackVendor": {Type: shape.Text}, "fallbackLabel": {Type: shape.Text}, "fallbackLanguage": {Type: shape.Text},
	"fallbackVoice": {Type: shape.Text | shape.Map}, "engine": {Type: shape.Text}, "gender": {Type: shape.Text}, "options": {Type: shape.Map},
}

// The properties of the verbs.
var (
	sayProps = shape.Props{
		"text":               {Type: shape.Text | shape.List, Need: true},
		"loop":               {Type: number},
		"synthesizer":        {Type: shape.Map, Props: synthesizerProps},
		"instructions":       {Type: shape.Text, Idle: wholeTexts + " in its own voice"},
		"stream":             {Type: shape.Bool, Idle: wholeTexts},
		"closeStreamOnEmpty": {Type: shape.Bool, Idle: wholeTexts},
		"earlyMedia":         {Type: shape.Bool},
		"disableTtsCache":    {Type: shape.Bool, Idle: "texts that were spoken are kept for a short while"},
	}
	playProps = shape.Props{
		"url":         {Type: shape.Text | shape.List, Need: true},
		"loop":        {Type: number},
		"earlyMedia":  {Type: shape.Bool},
		"seekOffset":  {Type: number},
		"timeoutSecs": {Type: number},
		"actionHook":  shape.HookProp(),
	}
	pauseProps  = shape.Props{"length": {Type: shape.Number, Need: true}}
	gatherProps = shape.Props{
		"actionHook": shape.HookProp(), "input": {Type: shape.List}, "finishOnKey": {Type: shape.Text},
		"numDigits": {Type: shape.Number}, "minDigits": {Type: shape.Number}, "maxDigits": {Type: shape.Number},
		"interDigitTimeout": {Type: shape.Number}, "timeout": {Type: shape.Number},
		"listenDuringPrompt": {Type: shape.Bool}, "dtmfBargein": {Type: shape.Bool},
		"say": {Type: shape.Map, Props: sayProps.With(everywhere)}, "play": {Type: shape.Map, Props: playProps.With(everywhere)},
		// These matter only to speech, of which "input" tells.
		"partialResultHook": shape.HookProp(), "speechTimeout": {Type: shape.Number}, "bargein": {Type: shape.Bool},
		"minBargeinWordCount": {Type: shape.Number}, "recognizer": recognizer(),
		"fillerNoise":           {Type: shape.Map, Props: noiseProps},
		"actionHookDelayAction": {Type: shape.Map, Props: delayProps},
	}
	dialProps = shape.Props{
		"target":           {Type: shape.List, Need: true, Props: shape.TargetProps},
		"actionHook":       shape.HookProp(),
		"confirmHook":      shape.HookProp(),
		"answerOnBridge":   {Type: shape.Bool},
		"callerId":         {Type: shape.Text},
		"callerName":       {Type: shape.Text},
		"headers":          {Type: shape.Map},
		"proxy":            {Type: shape.Text},
		"timeLimit":        {Type: shape.Number},
		"timeout":          {Type: shape.Number},
		"tag":              {Type: shape.Map},
		"anchorMedia":      {Type: shape.Bool},
		"forwardPAI":       {Type: shape.Bool},
		"exitMediaPath":    {Type: shape.Bool},
		"amd":              {Type: shape.Map, Props: shape.AMDProps},
		"boostAudioSignal": {Type: number},
		"dialMusic":        {Type: shape.Text},
		"dtmfCapture":      {Type: shape.List | shape.Map},
		"dtmfHook":         shape.HookProp(),
		"dub":              {Type: shape.Map | shape.List, Props: DubProps.With(everywhere).With(shape.Props{"verb": {Type: shape.Text}})},
		"listen":           {Type: shape.Map, Props: nestedListenProps},
		"stream":           {Type: shape.Map, Props: nestedListenProps},
		"transcribe":       {Type: shape.Map, Props: transcribeProps.With(everywhere).With(shape.Props{"verb": {Type: shape.Text}})},
		"referHook":        shape.HookProp(),
		"onHoldHook":       shape.HookProp(),
		"srtpEncryption":   {Type: shape.Text, Idle: "the line decides on encryption"},
		"codecs":           {Type: shape.List, Idle: "the lines decide on codecs"},
	}
	hangupProps   = shape.Props{"headers": {Type: shape.Map}}
	redirectProps = shape.Props{"actionHook": need(shape.HookProp()), "statusHook": shape.HookProp()}
	dtmfProps     = shape.Props{"dtmf": {Type: shape.Text, Need: true}, "duration": {Type: shape.Number}}
	tagProps      = shape.Props{"data": {Type: shape.Map, Need: true}}
	alertProps    = shape.Props{"message": {Type: shape.Text, Need: true}}
	declineProps  = shape.Props{
		"status":  {Type: shape.Number, Need: true},
		"reason":  {Type: shape.Text},
		"headers": {Type: shape.Map},
	}
	configProps = shape.Props{
		"synthesizer": {Type: shape.Map, Props: synthesizerProps},
		"recognizer":  recognizer(),
		"bargeIn":     {Type: shape.Map, Props: bargeProps},
		"ttsStream": {Type: shape.Map, Props: shape.Props{ // an application may always send text
			"enable": {Type: shape.Bool}, "synthesizer": {Type: shape.Map, Idle: "the call's synthesizer speaks"},
		}},
		"autoStreamTts":              {Type: shape.Bool, Idle: wholeTexts},
		"record":                     {Type: shape.Map, Props: RecordProps},
		"listen":                     {Type: shape.Map, Props: configListenProps},
		"stream":                     {Type: shape.Map, Props: configListenProps},
		"transcribe":                 {Type: shape.Map, Props: transcribeProps.With(shape.Props{"enable": {Type: shape.Bool, Need: true}})},
		"amd":                        {Type: shape.Map, Props: shape.AMDProps},
		"fillerNoise":                {Type: shape.Map, Props: noiseProps},
		"actionHookDelayAction":      {Type: shape.Map, Props: delayProps},
		"notifyEvents":               {Type: shape.Bool}, // over a websocket only
		"notifySttLatency":           {Type: shape.Bool, Idle: vendorDecides},
		"reset":                      {Type: shape.Text | shape.List},
		"onHoldMusic":                {Type: shape.Text},
		"sipRequestWithinDialogHook": shape.HookProp(),
		"referHook":                  shape.HookProp(),
		"boostAudioSignal":           {Type: number},
		"vad":                        {Type: shape.Map, Idle: vendorDecides},
		"noiseIsolation":             {Type: shape.Map, Idle: "the box leaves noise as it is"},
		"turnTaking":                 {Type: shape.Map, Idle: vendorDecides},
		"trackTtsPlayout":            {Type: shape.Bool, Idle: "no vendor of the box tells when each word is heard"},
		"earlyMedia":                 {Type: shape.Bool}, // config never answers a call
		"disableTtsCache":            {Type: shape.Bool, Idle: "texts that were spoken are kept for a short while"},
	}
)

func need(p shape.Prop) shape.Prop { p.Need = true; return p }
