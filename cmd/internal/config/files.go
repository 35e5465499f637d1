package config

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// Files returns every file that the configuration was read from or that it names, sorted: templates,
// secrets, certificates. Patterns are expanded at each call, so that a new template is among them.
// A file need not exist.
func (c *Config) Files() []string {
	files := slices.Clone(c.paths)
	for _, pattern := range c.Alertmanager.Templates {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			continue // a bad pattern is the template loader's to report
		}
		files = append(files, matches...)
	}
	files = append(files, namedFiles(reflect.ValueOf(c.Alertmanager))...)
	files = append(files, namedFiles(reflect.ValueOf(c.Tocsin))...)
	slices.Sort(files)
	return slices.Compact(files)
}

// namedFiles returns the values of all keys that end in _file, and the files of HTTP headers.
func namedFiles(v reflect.Value) []string {
	var files []string
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			files = namedFiles(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			files = append(files, namedFiles(v.Index(i))...)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() { // Files sorts
			files = append(files, namedFiles(v.MapIndex(key))...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if !field.IsExported() {
				continue
			}
			name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
			if strings.HasSuffix(name, "_file") && v.Field(i).Kind() == reflect.String {
				if path := v.Field(i).String(); path != "" {
					files = append(files, path)
				}
				continue
			}
			if list, ok := v.Field(i).Interface().([]string); ok && (name == "files" || name == "target_files") {
				files = append(files, list...)
				continue
			}
			files = append(files, namedFiles(v.Field(i))...)
		}
	}
	return files
}
