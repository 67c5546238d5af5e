// Package shape reads the JSON objects of the JSON family by tables: which
// properties there are, of which types, and which of them are needed.
//
// Concepts: [Props] is such a table; [Read] checks a value against one and gives
// an [Object] whose properties can then be taken without further checks of
// their types. What is wrong is a [Problem], one plain sentence. Hooks and
// targets, which both requests and documents hold, are read here too.
//
// It may import call, call/script and api/jambonz/js. It is tested by tables.
package shape
