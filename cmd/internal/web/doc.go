// Package web is the server's pages: the alerts by group with their state, reasons and receivers,
// for each alert why somebody was told of it, or nobody, now or at an instant of the past, what explains
// what, how the receivers stand, and what maintenance is planned.
//
// # Shapes
//
// [New] returns one http.Handler for /, /alert/{fingerprint}, /dependencies, /receivers, /windows,
// /favicon.ico and /static/, all below the prefix; whatever else it is asked for is a page that says so.
// A request is answered in three steps: what the engine says is read, a plain function of the reading,
// the query and the present makes a view, and a template prints the view. A reading is never modified,
// and is shared between viewers for ten times as long as it took to make, at most 3 s. A list of alerts
// shows at most 200 on a page, however many there are, and a graph at most 120 boxes: alerts of one name
// that the same causes explain are one.
//
// A search may hold words and matchers at once. Counts are of what the search, the receiver, the team
// and the cause leave; a state narrows only the list.
//
// Every page works without scripts: the search is a GET form, whatever can be chosen is a link. The
// scripts fetch the same page again and swap its live part, and add keys.
//
// # What is hostile
//
// All text of alerts, silences and errors is. It is escaped, isolated from the direction of the text
// around it, cut to a bounded length in lists, and becomes a link only if it is an absolute http or
// https address. Control characters and those that turn the direction of text are shown as their
// code. The Content-Security-Policy allows only what this package serves itself; there are no inline
// scripts or styles. What changes something is a form, and is refused if it comes from another origin.
//
// # Addresses
//
// All links are relative to the page, so that they hold behind proxies that add or strip a path.
//
// # Units and time
//
// Times are printed in UTC, ages to the minute.
//
// # Errors
//
// An engine that does not answer within ten seconds is a page with status 503; a search that cannot
// be read is the same page with the error beside the field and status 400.
//
// # Goroutines
//
// The handler may be called from any goroutine, and starts none.
package web
