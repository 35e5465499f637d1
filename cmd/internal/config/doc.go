// Package config reads the configuration: Alertmanager's file with one more key. It is the only
// package that knows YAML.
//
// # Shapes
//
// [Load] takes the path of an alertmanager.yml and, if there is one, of a file for tocsin's own
// section; [Parse] takes their text. Both return a [Config], or [Problems]: everything that is
// wrong, at once, each with file, line, path and remedy. A Config belongs to the caller; its
// methods return fresh values in the types of the packages that they are for.
//
// # Alertmanager's part
//
// It is judged by Alertmanager's own package, on the text with the tocsin: section turned into
// comments, so that lines keep their numbers. What Alertmanager accepts is accepted, and what it
// refuses is refused: nothing here repeats its rules. Because it stops at its first error, a file
// that it refuses is shown to it once more in pieces (each receiver, each route, each rule), and
// in each piece the line is found by leaving out one key after another until the error changes.
//
// # The section tocsin:
//
// It stands in the main file as the key tocsin, in block style, or in a file of its own, whose top
// level is either that key or what would stand below it; not in both. Unknown keys, keys that occur
// twice and second documents are errors. A key without a value keeps its default. Paths are
// relative to the file that names them, durations are written as in Prometheus.
//
// # Errors
//
// A file that cannot be read is an error that wraps the cause; everything else is of type
// [Problems]. Neither holds a secret of the section tocsin. A [Secret] prints as <secret>.
//
// # Goroutines
//
// The functions may be called from any goroutine. A Config is not modified after it was returned.
package config
