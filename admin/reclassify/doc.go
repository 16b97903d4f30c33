// Package reclassify judges stored hits again, by the verdict rules that are in
// force now, and says what that changes before it changes anything.
//
// What decides again is what is stored of a hit: its user agent and the number of
// its network. What only the moment of the hit knew stays as it was: that it was a
// test, a HEAD request, announced as speculative, or above the rate, and notes that
// invalidate nothing. A hit whose stored verdict does not follow from its stored
// reasons, or that has a reason this program does not know, is left alone.
//
// A click is unique by the rolling window of the shipper. Where the rule says the
// same of the hits as they are now and as they were first judged, what the shipper
// decided stays: it knew the visitor also under the salt of the day before, which is
// stored nowhere. Where the rule's answer is another now, that counts; also of hits
// up to half an hour behind the range.
//
// What it promises of a run that is applied:
//
//   - It goes in steps. What a step changes lies in ClickHouse before anything is
//     changed; verdicts for money, sums and rows follow, each in a way that may be
//     repeated. A process killed at any point goes on with the step it was in, and
//     every hit's difference is in every sum exactly once.
//   - Sums are corrected by differences, so that clicks which arrive meanwhile, for
//     whatever day, are counted as ever. Sums of clicks that retention has dropped stay.
//   - Only hits that were stored when their step was planned are judged.
//   - One run at a time. Rules that change under way end it, with a reason.
//   - No money moves. Decisions to come use the new verdicts; what was decided is
//     decided again when somebody asks for it (POST /v1/attribution/replay). Clicks
//     that were paid by the hour stay paid; the run says how many it takes or gives.
//
// Reading order: service.go (runs, one after the other), step.go (a step from plan to
// end), plan.go (which hits change), judge.go (one hit), unique.go, found.go (the
// figures), run.go (what SQL keeps), api.go.
package reclassify
