// Package dashboard is what people see in a browser: pages of the advertiser,
// the creator and the operator on the admin listener.
//
// It promises that
//
//   - a page shows its figures without a script: they come from the same Go
//     functions as the API's, and are in the HTML. Scripts add charts, dialogs
//     and changes, which go through the API under /v1 like everybody's;
//   - it works offline and asks nobody else for anything: every file is embedded,
//     served under an address that changes with the content, and a strict
//     Content-Security-Policy lets nothing else run;
//   - a session sees what its key may see, ends with it, and a change is only
//     taken from the session's own pages;
//   - a part whose figures cannot be read says so, and the rest of the page stands.
//
// Reading order: dashboard.go (what is served), page.go (what a page is), visit.go
// (one request for one), signin.go, assets.go, period.go, figures.go and format.go
// (what templates write), then one file for each page, by the same name as its
// template in templates/ and, where it has one, its script in assets/.
package dashboard
