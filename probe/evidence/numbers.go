package evidence

import (
	"fmt"
	"strconv"
	"strings"
)

// Numbers are node indices, in JSON a text like "0-5,7,9-12".
type Numbers []int

// MaxNumbers is how many Numbers one list has at most: a short text can make it
// long. A columns.Packer makes lists of up to half as many.
const MaxNumbers = 1024

// MarshalText writes the numbers in their order.
func (n Numbers) MarshalText() ([]byte, error) {
	var b []byte
	for i := 0; i < len(n); {
		end := i + 1
		for end < len(n) && n[end] == n[end-1]+1 {
			end++
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(n[i]), 10)
		if end-i > 1 {
			b = strconv.AppendInt(append(b, '-'), int64(n[end-1]), 10)
		}
		i = end
	}
	return b, nil
}

// UnmarshalText reads what MarshalText wrote.
func (n *Numbers) UnmarshalText(text []byte) error {
	*n = nil
	if len(text) == 0 {
		return nil
	}
	for part := range strings.SplitSeq(string(text), ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, err := strconv.ParseUint(from, 10, 31)
		if err != nil {
			return fmt.Errorf("numbers %.40q: %w", text, err)
		}
		last := first
		if isRange {
			if last, err = strconv.ParseUint(to, 10, 31); err != nil || last <= first {
				return fmt.Errorf("numbers %.40q: %q is not a valid range", text, part)
			}
		}
		if last-first >= MaxNumbers || len(*n)+int(last-first) >= MaxNumbers {
			return fmt.Errorf("numbers %.40q: more than %d", text, MaxNumbers)
		}
		for number := first; number <= last; number++ {
			*n = append(*n, int(number))
		}
	}
	return nil
}
