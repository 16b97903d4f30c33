// Package schematest gives tests a real ClickHouse: the embedded engine, one
// for each test binary, with a database of its own for each test. A package
// that uses it declares
//
//	func TestMain(m *testing.M) { schematest.Main(m) }
//
// because the engine's process is the test binary itself.
package schematest
