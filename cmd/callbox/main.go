// Callbox is the firmware of a branch-office telephone gateway: one program
// that takes a Create Call as a cloud provider would, and rings the phone.
//
// main.go reads the command line; every subcommand has a file of its own;
// app.go is the only place that knows all concrete types: it builds them in
// dependency order, starts them and stops them in reverse. This package may
// import everything and nobody imports it. Besides unit tests it holds the
// tests of the architecture (deps_test.go, pkgdoc_test.go); the built binary is
// tested in e2e.
package main

func main() {}
