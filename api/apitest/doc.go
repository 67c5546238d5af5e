// Package apitest is an in-memory box for tests of the call APIs: it implements
// the ports of package api with maps, and obeys the state table of package call.
// It can serve them over HTTP ([Serve]), and holds what the dialects' tests share:
// golden files and requests as text.
//
// It may import call and api, and is itself exercised by the dialects' tests.
package apitest
