package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

// Print writes an error of [Load] for people: each problem, and below it the line that it is about.
func Print(w io.Writer, err error) error {
	problems, ok := errors.AsType[Problems](err)
	if !ok {
		_, err := fmt.Fprintln(w, err)
		return err
	}
	var b strings.Builder
	texts := map[string][]string{}
	for _, p := range problems {
		if _, read := texts[p.File]; !read {
			text, _ := os.ReadFile(p.File) // it could be read a moment ago; if not, nothing is quoted
			texts[p.File] = splitLines(string(text))
		}
		fmt.Fprintln(&b, p)
		if lines := texts[p.File]; p.Line > 0 && p.Line <= len(lines) {
			fmt.Fprintf(&b, "%7d | %s\n", p.Line, quote(lines[p.Line-1]))
		}
	}
	_, err = io.WriteString(w, b.String())
	return err
}

// quote returns a line of the file, without what may be a secret.
func quote(line string) string {
	line = strings.TrimRight(line, "\r\n")
	secret := regexp.MustCompile(`(?i)^(.*?(secret|token|passw|key|url|dsn|credential|storage)[^:]*:).+$`)
	return secret.ReplaceAllString(line, "$1 ...")
}
