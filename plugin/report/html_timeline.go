package report

import (
	"fmt"
	"slices"
	"time"
)

// htmlPhase is a row of the timeline: X and Width are per cent of the whole.
type htmlPhase struct {
	Name, From, Took, Class string
	X, Width                string
}

// span is a part of a run, in milliseconds after its start.
type span struct {
	name, class string
	from, took  int64
}

// timeline writes the phases of the run and when its pods were Ready, as far as the
// recording knows them, and what identifies the report.
func (b *htmlBuilder) timeline(p *htmlPage) {
	for _, f := range b.d.facts() {
		p.Facts = append(p.Facts, htmlFact{f.title, clean(f.value)})
	}
	spans := b.spans()
	end := int64(0)
	for _, s := range spans {
		end = max(end, s.from+s.took)
	}
	for _, s := range spans {
		const least = 0.6 // per cent, so that what was quick is seen
		x := 100 * float64(s.from) / float64(end)
		width := max(least, 100*float64(s.took)/float64(end))
		p.Timeline = append(p.Timeline, htmlPhase{
			Name: s.name, From: seconds(s.from), Took: seconds(s.took), Class: s.class,
			X: fmt.Sprintf("%.2f", min(x, 100-width)), Width: fmt.Sprintf("%.2f", width),
		})
	}
}

// spans are the phases, and behind that in which pods start those of the pods.
func (b *htmlBuilder) spans() (all []span) {
	run := &b.Graph.Run
	var known []span
	for _, phase := range run.Phases {
		if phase.Began >= 0 && phase.Took >= 0 {
			known = append(known, span{clean(phase.Name), "phase", phase.Began, phase.Took})
		}
	}
	if took := duration(run.Started, run.Ended); len(known) == 0 && took > 0 {
		known = append(known, span{"the run", "phase", 0, (run.Ended - run.Started) / int64(time.Millisecond)})
	}
	for _, s := range known {
		all = append(all, s)
		if s.name == placing || len(known) == 1 {
			all = append(all, b.ready(s.from)...)
		}
	}
	return all
}

// placing is the phase in which pods start, as the run calls it.
const placing = "starting probe pods"

// ready are how long the first, the middle and the last pod took to be Ready, from
// when pods were created. Those that were created later, new pods and the probes of a
// second pass, are none of them.
func (b *htmlBuilder) ready(from int64) (all []span) {
	var waits []int64
	for _, n := range b.Graph.Nodes {
		for _, role := range []string{"probe", "pod"} {
			if pod := n.Pods[role]; pod != nil && pod.Ready && pod.Wait > 0 && pod.Pass == 0 {
				waits = append(waits, pod.Wait)
			}
		}
	}
	if len(waits) == 0 {
		return nil
	}
	slices.Sort(waits)
	return []span{
		{"first pod Ready", "ready", from, waits[0]},
		{"half of the pods Ready", "ready", from, waits[len(waits)/2]},
		{"last pod Ready", "ready", from, waits[len(waits)-1]},
	}
}

func seconds(milliseconds int64) string { return fmt.Sprintf("%.1f s", float64(milliseconds)/1e3) }
