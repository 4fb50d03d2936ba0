//go:build linux

package agent

import (
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Devices can be asked for again and again. The readings of a proof do not notice.
func TestDevices(t *testing.T) {
	h := &fakeHost{}
	ask := func(id uint32) evidence.Request {
		return evidence.Request{ID: id, Devices: &evidence.DevicesRequest{}}
	}
	read := func(id uint32, reading int) evidence.Request {
		return evidence.Request{ID: id, Read: &evidence.ReadRequest{Reading: reading}}
	}
	devices := &fakeDevices{}
	messages, err := talk(t, Options{Host: h, Filters: h, Devices: devices}, start("probe"), ask(2), ask(3),
		evidence.Request{ID: 4, End: &evidence.EndRequest{}})
	if err != nil {
		t.Error(err)
	}
	want := "hello link device peer ready link device peer ready bye"
	if got := kinds(messages); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for i, m := range messages {
		if m.Peer != nil && m.Peer.TX != uint64(1+i/4) || m.Link != nil && m.Link.Name != "wg0" {
			t.Errorf("message %d: %+v %+v", i, m.Peer, m.Link)
		}
	}

	messages, _ = talk(t, Options{Host: h, Filters: h, Devices: &fakeDevices{}}, start("probe"),
		read(2, 0), ask(3), ask(4), read(5, 1), read(6, 2), read(7, 3), evidence.Request{ID: 8, End: &evidence.EndRequest{}})
	for _, m := range messages {
		if m.Count != nil && m.Count.Readings != evidence.Readings {
			t.Errorf("%+v", m.Count)
		}
	}

	messages, _ = talk(t, Options{}, start("pod"), ask(2), evidence.Request{ID: 3, End: &evidence.EndRequest{}})
	if got := kinds(messages); got != "hello problem ready bye" {
		t.Errorf("a pod answered %s", got)
	}
}
