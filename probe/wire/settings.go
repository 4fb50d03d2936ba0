package wire

import "fmt"

// settings is what a tally's parts share and never change.
type settings struct {
	match     *matcher
	wireguard ports
	receivers []receiver // in the order they were told
	asked     map[int]bool
}

func newSettings(subject Subject) (*settings, error) {
	s := &settings{match: newMatcher(subject), asked: make(map[int]bool)}
	for _, port := range subject.Ports {
		if port != 0 {
			s.wireguard.add(port)
		}
	}
	for _, size := range subject.Sizes {
		s.asked[size] = true
	}
	for _, key := range subject.Keys {
		r, err := newReceiver(key)
		if err != nil {
			return nil, fmt.Errorf("a key to verify handshakes with: %w", err)
		}
		s.receivers = append(s.receivers, r)
	}
	return s, nil
}
