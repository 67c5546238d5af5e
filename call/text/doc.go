// Package text is the office for text messages: it sends them over the lines that
// can, puts together what arrives, keeps both, and tells applications.
//
// Concepts, in order: a message is a call.Message. [House.SendMessage] keeps it,
// durably, and queues it for its line; each line has one goroutine that sends, one
// message at a time. What becomes of it changes its status, and each change is
// owed to its hook. What a line brings is a part ([House.Arrived]): it is on disk
// when that returns, and when the parts of a message are complete they become one,
// which is owed to the application of the number it was sent to. Parts that stay
// alone become a message with gaps after a day. A power cut loses none of it: the
// [Store] takes each change together with the notices that it owes.
//
// It may import call. Time is the time package's: it is tested in testing/synctest
// bubbles with a store that forgets what it had not on disk.
package text
