// Package archive is the file format of backups: a tar archive that knows whether
// it is whole.
//
// Its first entry, backup.json, says what it is of, its last, seal.json, how many
// files and bytes lie between and the SHA-256 over all of them, names and sizes
// included. What [Read] has handed out is to be believed only once Read has
// returned without an error: an archive that was cut short, changed or added to
// anywhere is an [ErrDamaged].
//
// Writing and reading are streams: neither needs more memory than a buffer,
// however large the archive is, nor a file that can be read twice.
package archive
