// Package toll keeps calls from costing more than was agreed: guards of an
// account, a line, or the whole box bound the calls at a time, the minutes and the
// money of a day, where calls may go, and at which hours.
//
// A [Rule] says what holds for whom. A [Book] holds the rules and what today's
// calls have used of them; it is told of each placed call's attempt, answer and end.
// Calls between the box's own phones cost nothing and are never asked about, and
// emergency calls always pass.
//
// It imports call and call/number. Its tests pass the time as an argument.
package toll
