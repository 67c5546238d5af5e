package api

// Operation describes what one method does at one address, for the served
// description of the box (api/openapi).
type Operation struct {
	API     string // the dialect, or the part of the box
	Method  string
	Path    string // ids in braces: "/v1/Accounts/{account}/Calls"
	Summary string
	Query   []Field
	Body    *Schema // nil: none
	Form    bool    // Body is sent as a form, else as JSON
	Answers []Answer
	Auth    string // AuthBasic, AuthBearer, AuthNone
}

// How an operation wants to be asked.
const (
	AuthNone   = "none"
	AuthBasic  = "basic"  // RFC 7617: an account's id and token, or an API key and its secret
	AuthBearer = "bearer" // RFC 6750: a token or the secret of an API key
)

// Answer is one way in which an operation may answer.
type Answer struct {
	Status int // 0: every other one
	Says   string
	Type   string  // of the body; empty: there is none
	Schema *Schema // nil: it is not JSON
}

// Field is a member of an object, or a parameter.
type Field struct {
	Name     string
	Required bool
	Schema   *Schema
}

// Schema describes a JSON value or a parameter: the subset of OpenAPI 3.0 that
// the box needs. A schema with a Name is written once and referred to.
type Schema struct {
	Name     string
	Type     string // "string", "integer", "number", "boolean", "array", "object"; empty: any, or as AnyOf
	Nullable bool
	Says     string
	Format   string
	Enum     []string
	Min, Max *int // of a number; Max of a text is its longest length in characters
	Items    *Schema
	Fields   []Field
	Strict   bool    // an object has no other members than Fields
	Values   *Schema // of the members of an object that have other names
	AnyOf    []*Schema
}
