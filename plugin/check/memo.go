package check

import (
	"sync"
	"sync/atomic"
)

// memo remembers what a pure function returned. The zero memo is ready, and
// several goroutines may use it.
type memo[K comparable, V any] struct {
	last atomic.Pointer[remembered[K, V]] // mostly the next one too
	all  sync.Map
}

type remembered[K comparable, V any] struct {
	key   K
	value V
}

func (m *memo[K, V]) of(key K, find func(K) V) V {
	if last := m.last.Load(); last != nil && last.key == key {
		return last.value
	}
	known, ok := m.all.Load(key)
	if !ok {
		known, _ = m.all.LoadOrStore(key, &remembered[K, V]{key, find(key)})
	}
	found := known.(*remembered[K, V])
	m.last.Store(found)
	return found.value
}
