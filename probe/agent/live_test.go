//go:build linux

package agent

import (
	"testing"
)

// case of a live network: what is done to it, and the verdict that is right.
type liveCase struct {
	name    string
	silent  bool // pods may not send echoes
	prepare func(*live)
	during  func(*live) // while everything is captured
	after   func(*live) // what an observer next to the product has seen
	verdict string
	causes  []string // any of these is right as first cause
}

func (c liveCase) run(t *testing.T) {
	l := newLive(t)
	if c.silent {
		l.silence()
	}
	if c.prepare != nil {
		c.prepare(l)
	}
	l.verify(c.during)
	if c.after != nil {
		c.after(l)
	}
	l.judged().want(t, c.verdict, c.causes...)
}

func runLive(t *testing.T, cases []liveCase) {
	for _, c := range cases {
		t.Run(c.name, c.run)
	}
}

// A network as it should be.
func TestLiveHealthy(t *testing.T) {
	runLive(t, []liveCase{
		{name: "healthy", verdict: "PASS"},
		{name: "healthy-silent", silent: true, verdict: "PASS"},
	})
}
