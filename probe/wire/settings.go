package wire

import "fmt"

// settings is what a tally's parts share and never change.
type settings struct {
	match     *matcher
	wireguard ports
	receivers []receiver
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

// madeFor returns the public key whose owner a handshake message was made for,
// empty if it is none of those that were told.
func (s *settings) madeFor(b []byte) string {
	for i := range s.receivers {
		if s.receivers[i].made(b) {
			return s.receivers[i].public
		}
	}
	return ""
}
