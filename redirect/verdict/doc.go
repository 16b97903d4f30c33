// Package verdict says what a hit on a tracking link was: a person's click, or
// one of the kinds that cannot earn.
//
// It promises to be pure and fast. A Rules is immutable; Classify reads no
// clock, does no I/O, takes no lock and allocates nothing, whether it has seen
// the user agent before or not. The same lists give the same verdicts and the
// same version on every node and after every restart.
//
// Nobody is called a bot for the name of their phone or of the app they came
// from. The crawler list names robots that pretend nothing ("PayPal/", "Sonic",
// "Sogou", "WhatsApp"), and phones and in-app browsers bear the same words. So a
// name counts inside a browser's user agent only if it says what it is (bot,
// crawler, scanner …), if the list has an instance of it there, or if the user
// agent declares itself ("compatible;", an address to complain to).
//
// Reading order: rules.go (what is loaded, and the verdict), pattern.go (what a
// pattern of the lists becomes), automaton.go (all patterns in one pass over a
// user agent), memory.go (user agents seen before), rate.go (too many hits).
package verdict
