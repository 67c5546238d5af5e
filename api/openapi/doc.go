// Package openapi writes the description of the box's HTTP interface as an
// OpenAPI 3.0 document, of the [api.Operation] values that the dialects make of
// their own tables, so that nothing is described twice.
//
// It may import api. Besides its own tests, cmd/callbox, which has all dialects,
// tests what it writes with a validator of the format.
package openapi
