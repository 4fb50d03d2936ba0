package policy

import (
	"fmt"
	"strconv"
	"strings"
)

// release is a version of Linux: major, minor and patch level.
type release [3]int

// parseRelease reads how a kernel's version begins: "5.10", "6.8.0-45-generic".
func parseRelease(text string) (release, error) {
	var r release
	numbers := strings.SplitN(text, ".", len(r))
	if len(numbers) < 2 {
		return r, fmt.Errorf("%q is not a valid version of a kernel, e.g. \"5.10\"", text)
	}
	for i, number := range numbers {
		digits := number
		if end := strings.IndexFunc(number, func(c rune) bool { return c < '0' || c > '9' }); end >= 0 {
			digits = number[:end]
		}
		n, err := strconv.Atoi(digits)
		if err != nil || n > 9999 {
			return r, fmt.Errorf("%q is not a valid version of a kernel, e.g. \"5.10\"", text)
		}
		r[i] = n
		if digits != number {
			break // what follows is the distribution's
		}
	}
	return r, nil
}

func (r release) before(other release) bool {
	for i := range r {
		if r[i] != other[i] {
			return r[i] < other[i]
		}
	}
	return false
}
