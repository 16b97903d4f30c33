// Package integrations says how the ways are doing by which a merchant reports:
// when each was heard of last, what became of its reports in the last day, and what
// is wrong, in a sentence that says what to do.
//
// It promises that the answer is as cheap as it is fresh: reports are counted by
// hour as their events pass, in the transaction that passes them.
package integrations
