//go:build linux

package perf

import "time"

// meter counts what arrives after a warm-up. The zero value counts nothing yet.
type meter struct {
	hello
	watch  bool // what the processors do
	first  time.Time
	begin  time.Time // of what counts
	last   time.Time
	total  int64
	bytes  int64
	before reading // of the processors, at begin
}

// add counts what arrived now.
func (m *meter) add(n int) {
	now := time.Now()
	if m.first.IsZero() {
		m.first = now
	}
	m.total += int64(n)
	m.last = now
	if !m.begin.IsZero() {
		m.bytes += int64(n)
		return
	}
	warm := now.Sub(m.first) >= time.Duration(m.WarmUp)*time.Millisecond
	if warm || m.WarmBytes > 0 && m.total >= m.WarmBytes {
		m.begin = now
		if m.watch {
			m.before = read()
		}
	}
}

// result returns what was counted. If all of it was warm-up, that counts.
func (m *meter) result() result {
	r := result{Bytes: m.bytes, Nanos: int64(m.last.Sub(m.begin)), Begin: m.begin.UnixNano()}
	if m.begin.IsZero() || r.Nanos <= 0 {
		r = result{Bytes: m.total, Nanos: int64(m.last.Sub(m.first)), Begin: m.first.UnixNano()}
	}
	if m.watch && !m.begin.IsZero() {
		r.Busy = read().since(m.before)
	}
	return r
}
