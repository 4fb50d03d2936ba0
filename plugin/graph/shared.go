package graph

import "sync"

// shared keeps one of equal values: thousands of nodes say the same. The zero
// value is ready and may be used by several goroutines.
type shared[T comparable] struct {
	mu  sync.Mutex
	all map[T]*T
}

// one returns the value that is equal to v.
func (s *shared[T]) one(v T) *T {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.all[v]; known != nil {
		return known
	}
	if s.all == nil {
		s.all = map[T]*T{}
	}
	s.all[v] = &v
	return &v
}
