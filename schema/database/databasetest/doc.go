// Package databasetest gives tests a real PostgreSQL: one server for each test
// binary, started when it is first asked for, with a fresh database of the
// current schema for each test. A package that uses it declares
//
//	func TestMain(m *testing.M) { databasetest.Main(m) }
//
// or calls Stop at its end. The server compares text by the rules of American
// English unless columns say otherwise, so that a query that relies on the order
// of bytes without saying so fails here.
package databasetest
