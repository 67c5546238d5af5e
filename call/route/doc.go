// Package route decides on which lines a call is tried, and says why.
//
// Concepts, in order: a [Config] holds the ordered [Rule]s, the names of users
// and phones, and the country; [Compile] checks it and gives a [Table]; the pure
// function [Decide] turns a [Request] into a [Decision]: an ordered list of
// [Attempt]s with reasons in sentences. When an attempt fails, [Decision.Next]
// says whether its cause leads to the next one. [Decision.Explain] is the whole
// story for people, also when there is no route.
//
// Order of precedence: emergency numbers, then the line that the request names,
// then the names and numbers of users and phones, then SIP URIs, then the rules
// in their order. Whatever the configuration says, an emergency number is never
// sent to a user or changed by an ordinary rule.
//
// It may import call, call/number. It is pure: no state, clock or I/O, so a
// Table may be used concurrently. It is tested by tables and fuzzed; patterns
// are RE2 (package regexp), so matching takes linear time on any input.
package route
