package run

import (
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// planTries decides which canaries the run makes for single rules and statements
// of the nodes. Most clusters have none that need one, and then nothing is
// looked through.
func (v *verification) planTries(narrows bool) {
	if !narrows {
		return
	}
	began := time.Now()
	v.about.Tries = check.Tries(graph.New(soFar{v.recording, v.about}))
	v.Log.Debug("step", "name", "planning tries", "took", time.Since(began), "tries", len(v.about.Tries))
}

// narrows reports whether something on a node may treat some packets of pods
// otherwise than others. It must be asked before the probes' streams have their
// names.
func (v *verification) narrows() bool {
	for _, a := range v.probes {
		said, _ := a.looked()
		for _, m := range said {
			if narrowsBy(m) {
				return true
			}
		}
	}
	return false
}

func narrowsBy(m *evidence.Message) bool {
	switch {
	case m.Rule != nil:
		r := m.Rule
		return r.Mask != 0 || r.Mark != 0 || r.TOS != 0 || r.DSCP != nil || r.Protocol != 0 || r.SourcePorts != nil || r.TargetPorts != nil
	case m.Route != nil:
		return m.Route.TOS != 0
	case m.Diversion != nil:
		return m.Diversion.Effect == evidence.EffectCopy || m.Diversion.Effect == evidence.EffectForward
	}
	return false
}

// triesOf returns the tries that a node's pod sends.
func (v *verification) triesOf(node int) (tries []evidence.Try) {
	for _, try := range v.about.Tries {
		if try.Node == node {
			tries = append(tries, try)
		}
	}
	return tries
}

// triesFor returns the tries that are for a node's pod.
func (v *verification) triesFor(node int) (tries []evidence.Try) {
	for _, try := range v.about.Tries {
		if try.Target == node {
			tries = append(tries, try)
		}
	}
	return tries
}

// runMessages returns the message of a run and, before it, as many as its tries
// need: one message has a bounded length. A reader joins their tries.
func runMessages(about *evidence.Run) (messages []evidence.Message) {
	last, rest := *about, about.Tries
	last.Tries = nil
	for len(rest) > 0 {
		part := last
		part.Newcomers = nil
		n := 1
		for n < len(rest) && fits(part, rest[:n+1]) {
			n++
		}
		part.Tries, rest = rest[:n], rest[n:]
		messages = append(messages, evidence.Message{Run: &part})
	}
	return append(messages, evidence.Message{Run: &last})
}

// fits reports whether a run with so many tries is a message. Stream and number
// are still to be added.
func fits(run evidence.Run, tries []evidence.Try) bool {
	const stamp = 64
	run.Tries = tries
	line, err := evidence.Encode(&evidence.Message{Run: &run})
	return err == nil && len(line) <= evidence.MaxMessage-stamp
}

// soFar is a recording whose run is not over.
type soFar struct {
	*recording.Recording
	about *evidence.Run
}

// Messages adds what is known of the run to the plugin's own stream.
func (s soFar) Messages(stream string) []*evidence.Message {
	messages := s.Recording.Messages(stream)
	if stream == evidence.PluginStream {
		messages = append(messages[:len(messages):len(messages)], &evidence.Message{Run: s.about})
	}
	return messages
}
