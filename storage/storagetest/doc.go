// Package storagetest is the suite that a store must pass: records and their
// pages, the outbox, configuration and blobs, each also after closing and
// opening again. It uses the store only through its methods, so a fake that
// other packages test with can be held against the same suite.
//
// It may import call, storage and storage/config. It is tested by storage, which
// passes it.
//
// It may import call and storage. It is tested by running it on the real store.
package storagetest
