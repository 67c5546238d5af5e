// Package twiml reads the documents of the family of call APIs that speak XML:
// TwiML and its descendants.
//
// Concepts, in order: [ParseAddress] reads a party as the family writes it, in
// documents and in requests alike. [Decode] reads a document into the verbs of
// call/script: unknown verbs and attributes, and values that cannot be, become
// warnings; only a document that cannot be run at all is an error, with a [Code]
// of the family.
//
// It may import call and call/script. It is tested with pairs of documents and
// what they mean (testdata), tables, and fuzz targets for documents and addresses.
package twiml
