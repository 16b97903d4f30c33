// Package background makes work that can wait give way to people who cannot:
// shoppers being redirected and shops reporting orders. And it repeats such work:
// [Repeat] is the one loop of whatever goes on until the stop, bears failures and
// tells of each once.
//
// Settling, shipping, copying and telling are behind a durable log. They catch up
// whenever the machine has time, so under load the scheduler should prefer what is
// in front. What the package promises: where the system has a way to say so, a
// goroutine that calls [GiveWay] gets what processor time is left over, and at
// least about a tenth of a busy core, so that it never stands still.
package background
