// Package sheet writes files of rows for people: CSV (RFC 4180) and XLSX (Office
// Open XML), from the same cells.
//
// It promises that a file is written row by row in constant memory, however long
// it is; that numbers, money and times are values a spreadsheet can add up, money
// with the decimals it was given; and that a text never becomes a formula when a
// spreadsheet opens the file (OWASP, CSV injection).
//
// Reading order: sheet.go (cells and the Writer), csv.go, xlsx.go with
// xlsx_parts.go (what is around the rows).
package sheet
