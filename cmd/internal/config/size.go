package config

import (
	"strconv"
	"strings"
)

// A Size is a number of bytes.
type Size int64

// parseSize reads a size such as 512KB, 64MB or 1GB, each step of which is 1,024 as in Prometheus's
// body_size_limit. KiB, MiB and GiB mean the same.
func parseSize(s string) (any, bool) {
	if plain, binary := strings.CutSuffix(s, "iB"); binary {
		s = plain + "B"
	}
	for shift, unit := range []string{"KB", "MB", "GB"} {
		digits, found := strings.CutSuffix(s, unit)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 20)
		return Size(n) << (10 * (shift + 1)), err == nil && n > 0
	}
	return Size(0), false
}
