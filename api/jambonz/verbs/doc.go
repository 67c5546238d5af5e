// Package verbs decodes the JSON documents of api/jambonz, arrays of verbs, into
// the verbs of call/script.
//
// Concepts: a verb is written as {"verb":"say",…} or {"say":{…}}. [Decode] checks
// it against the table of its properties (call-api.md §6): an unknown verb, an
// unknown property, a wrong type and a missing property refuse the whole
// document, and so does a verb that this box cannot run. A property that is
// right but has no effect here becomes a warning. One verb may become several
// of call/script, or none.
//
// It may import call, call/script, api/jambonz/js and api/jambonz/shape. It is
// tested by golden pairs (testdata/*.json and what they become), and by fuzzing.
package verbs
