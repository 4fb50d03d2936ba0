package evidence

import (
	"fmt"
	"strconv"
	"strings"
)

// Numbers are node indices, in JSON a text like "0-5,7,9-12".
type Numbers []int

// maxNumbers bounds Numbers, which a short text can make long. A Packer makes
// lists of up to maxAlike.
const maxNumbers = 2 * maxAlike

// maxStreamNumbers bounds the Numbers of a stream: of a run among a thousand
// nodes they are a tenth of it.
const maxStreamNumbers = 1 << 20

// numbersIn returns how many Numbers a message has.
func numbersIn(m *Message) (sum int) {
	switch {
	case m.Witness != nil:
		for _, a := range m.Witness.Alike {
			sum += len(a.Sources) + len(a.Targets)
		}
	case m.Canaries != nil:
		sum = len(m.Canaries.Peers)
	case m.Controls != nil:
		sum = len(m.Controls.Peers)
	}
	return sum
}

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
				return fmt.Errorf("numbers %.40q: %q is no range", text, part)
			}
		}
		if last-first >= maxNumbers || len(*n)+int(last-first) >= maxNumbers {
			return fmt.Errorf("numbers %.40q: more than %d", text, maxNumbers)
		}
		for number := first; number <= last; number++ {
			*n = append(*n, int(number))
		}
	}
	return nil
}
