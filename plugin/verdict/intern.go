package verdict

import "sync"

// numbers gives each different value a number from 1, so that what thousands
// of nodes say alike is kept once. 0 stands for no value. The zero numbers are
// ready; they may be used by several goroutines until all is laid out.
type numbers[K comparable, V any] struct {
	mu     sync.RWMutex
	of     map[K]uint32
	values []V
}

// number returns the number of a value that is known by key, and makes the
// value if it is new.
func (n *numbers[K, V]) number(key K, value func() V) uint32 {
	n.mu.RLock()
	id, known := n.of[key]
	n.mu.RUnlock()
	if known {
		return id
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if id, known := n.of[key]; known {
		return id
	}
	if n.of == nil {
		n.of = map[K]uint32{}
	}
	n.values = append(n.values, value())
	n.of[key] = uint32(len(n.values))
	return n.of[key]
}

// find returns the number of a value, 0 if there is no such value.
func (n *numbers[K, V]) find(key K) uint32 {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.of[key]
}

// value returns what has that number, the zero value for 0. It is for the time
// when nothing is numbered any more.
func (n *numbers[K, V]) value(id uint32) (v V) {
	if id == 0 {
		return v
	}
	return n.values[id-1]
}
