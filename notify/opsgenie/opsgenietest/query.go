package opsgenietest

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// parseQuery reads a search query: field: value, joined by AND, OR, NOT and parentheses; values with
// spaces in quotes, * as a wildcard, < <= > >= on numbers and times.
func parseQuery(text string) (func(*Alert) bool, error) {
	p := &queryParser{tokens: tokens(text)}
	if len(p.tokens) == 0 {
		return func(*Alert) bool { return true }, nil
	}
	want, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.peek() != "" {
		return nil, fmt.Errorf("unexpected %q", p.peek())
	}
	return want, nil
}

// tokens splits a query into words, quoted strings (with their first quote), operators and parentheses.
func tokens(text string) []string {
	var all []string
	for i := 0; i < len(text); {
		rest := text[i:]
		switch c := rest[0]; {
		case unicode.IsSpace(rune(c)):
			i++
		case c == '"':
			end := strings.IndexByte(rest[1:], '"')
			if end < 0 {
				end = len(rest) - 1
			}
			all = append(all, rest[:1+end])
			i += min(end+2, len(rest))
		case strings.HasPrefix(rest, "<="), strings.HasPrefix(rest, ">="):
			all = append(all, rest[:2])
			i += 2
		case strings.IndexByte("():<>", c) >= 0:
			all = append(all, rest[:1])
			i++
		default:
			end := strings.IndexAny(rest, "():<>\" \t\r\n")
			if end < 0 {
				end = len(rest)
			}
			all = append(all, rest[:end])
			i += end
		}
	}
	return all
}

type queryParser struct {
	tokens []string
}

// maxDepth bounds parentheses.
const maxDepth = 50

func (p *queryParser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *queryParser) next() string {
	t := p.peek()
	if len(p.tokens) > 0 {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *queryParser) or(depth int) (func(*Alert) bool, error) {
	left, err := p.and(depth)
	for err == nil && p.peek() == "OR" {
		p.next()
		var right func(*Alert) bool
		if right, err = p.and(depth); err == nil {
			l := left
			left = func(a *Alert) bool { return l(a) || right(a) }
		}
	}
	return left, err
}

func (p *queryParser) and(depth int) (func(*Alert) bool, error) {
	left, err := p.one(depth)
	for err == nil && p.peek() != "" && p.peek() != "OR" && p.peek() != ")" {
		if p.peek() == "AND" {
			p.next()
		}
		var right func(*Alert) bool
		if right, err = p.one(depth); err == nil {
			l := left
			left = func(a *Alert) bool { return l(a) && right(a) }
		}
	}
	return left, err
}

func (p *queryParser) one(depth int) (func(*Alert) bool, error) {
	if depth > maxDepth {
		return nil, errors.New("too many parentheses")
	}
	switch word := p.next(); word {
	case "":
		return nil, errors.New("unexpected end")
	case "NOT":
		inner, err := p.one(depth + 1)
		if err != nil {
			return nil, err
		}
		return func(a *Alert) bool { return !inner(a) }, nil
	case "(":
		inner, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if p.next() != ")" {
			return nil, errors.New("a parenthesis is not closed")
		}
		return inner, nil
	default:
		return p.field(word)
	}
}

// field reads the rest of field: value.
func (p *queryParser) field(name string) (func(*Alert) bool, error) {
	op := p.next()
	if op == ":" {
		switch p.peek() {
		case "<", "<=", ">", ">=":
			op = p.next()
		}
	}
	value := p.next()
	if value == "" {
		return nil, fmt.Errorf("%s has no value", name)
	}
	value = strings.TrimPrefix(value, `"`)
	switch name {
	case "createdAt", "lastOccurredAt", "count":
		return numeric(name, op, value)
	}
	if op != ":" {
		return nil, fmt.Errorf("unexpected %q after %s", op, name)
	}
	of, known := textField(name)
	if !known {
		return nil, fmt.Errorf("unknown field %s", name)
	}
	return func(a *Alert) bool {
		for _, have := range of(a) {
			if like(value, have) {
				return true
			}
		}
		return false
	}, nil
}

// textField returns the values of a field.
func textField(name string) (func(*Alert) []string, bool) {
	of, known := map[string]func(*Alert) []string{
		"status":         func(a *Alert) []string { return []string{a.Status} },
		"tag":            func(a *Alert) []string { return a.Tags },
		"alertId":        func(a *Alert) []string { return []string{a.ID} },
		"tinyId":         func(a *Alert) []string { return []string{a.TinyID} },
		"message":        func(a *Alert) []string { return []string{a.Message} },
		"description":    func(a *Alert) []string { return []string{a.Description} },
		"source":         func(a *Alert) []string { return []string{a.Source} },
		"entity":         func(a *Alert) []string { return []string{a.Entity} },
		"owner":          func(a *Alert) []string { return []string{a.Owner} },
		"priority":       func(a *Alert) []string { return []string{a.Priority} },
		"acknowledged":   func(a *Alert) []string { return []string{strconv.FormatBool(a.Acknowledged)} },
		"acknowledgedBy": func(a *Alert) []string { return []string{a.AcknowledgedBy} },
		"closedBy":       func(a *Alert) []string { return []string{a.ClosedBy} },
		"alias": func(a *Alert) []string {
			if a.Status != "open" {
				return nil
			}
			return []string{a.Alias}
		},
	}[name]
	return of, known
}

func like(pattern, have string) bool {
	if !strings.Contains(pattern, "*") {
		return strings.EqualFold(pattern, have)
	}
	ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(have))
	return err == nil && ok
}

func numeric(name, op, value string) (func(*Alert) bool, error) {
	want, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%s: %q is no number", name, value)
	}
	compare, known := map[string]func(have int64) bool{
		":":  func(have int64) bool { return have == want },
		"<":  func(have int64) bool { return have < want },
		"<=": func(have int64) bool { return have <= want },
		">":  func(have int64) bool { return have > want },
		">=": func(have int64) bool { return have >= want },
	}[op]
	if !known {
		return nil, fmt.Errorf("unexpected %q after %s", op, name)
	}
	ms := func(t time.Time) int64 { return t.UnixMilli() }
	of := map[string]func(*Alert) int64{
		"createdAt":      func(a *Alert) int64 { return ms(a.CreatedAt) },
		"lastOccurredAt": func(a *Alert) int64 { return ms(a.LastOccurredAt) },
		"count":          func(a *Alert) int64 { return int64(a.Count) },
	}[name]
	return func(a *Alert) bool { return compare(of(a)) }, nil
}
