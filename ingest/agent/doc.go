// Package agent says what a user agent string tells about a shopper: device,
// operating system, browser, and the app whose built-in browser it is.
//
// What it promises:
//
//   - Every answer comes from a closed list of names (versions excepted, which
//     are digits and dots), so that hostile strings cannot grow a report.
//   - An in-app browser of a social app is a person, never a bot.
//   - The same string gives the same answer for ever within one build.
//   - Describe is pure; a Cache remembers a bounded number of answers and is
//     safe for concurrent use.
package agent
