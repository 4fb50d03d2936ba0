package measure

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Targets of a run with a thousand nodes.
const (
	maxWall     = 60 * time.Second
	maxPeak     = 400e6 // bytes
	maxRequests = 8     // per node
)

// WriteScale prints the runs side by side, and what they miss.
func WriteScale(w io.Writer, runs []Scale) error {
	if len(runs) == 0 {
		return nil
	}
	var text strings.Builder
	row := func(name string, cell func(Scale) string) {
		fmt.Fprintf(&text, "%-42s", name)
		for _, run := range runs {
			fmt.Fprintf(&text, "%13s", cell(run))
		}
		text.WriteByte('\n')
	}
	row("nodes", func(s Scale) string { return fmt.Sprint(s.Nodes) })
	row("ordered pairs", func(s Scale) string { return fmt.Sprint(s.Nodes * (s.Nodes - 1)) })
	row("verdict", func(s Scale) string { return cmp.Or(s.Verdict, "none") })
	row("exit code", func(s Scale) string { return fmt.Sprint(s.Exit) })
	row("the same pods Ready without the plugin, s", func(s Scale) string { return seconds(s.Ready) })
	row("wall, s", func(s Scale) string { return seconds(s.Wall) })
	for _, name := range phaseNames(runs) {
		row("  "+name, func(s Scale) string { return seconds(Round{Phases: s.Phases}.phase(strings.TrimSpace(name))) })
	}
	row("peak memory of the plugin, MB", func(s Scale) string { return fmt.Sprintf("%.0f", float64(s.Peak)/1e6) })
	row("requests per node", func(s Scale) string { return fmt.Sprintf("%.2f", s.perNode(s.total())) })
	for _, what := range keys(runs, func(s Scale) map[string]int { return s.Requests }) {
		row("  "+what, func(s Scale) string { return fmt.Sprintf("%.2f", s.perNode(s.Requests[what])) })
	}
	for _, role := range keys(runs, func(s Scale) map[string]time.Duration { return s.CPU }) {
		row("processor time of "+role+", s", func(s Scale) string { return seconds(s.CPU[role]) })
	}
	row("sessions at a time", func(s Scale) string { return fmt.Sprint(s.Most) })
	row("namespace gone after, s", func(s Scale) string { return seconds(s.Gone) })
	row("left", func(s Scale) string { return fmt.Sprint(len(s.Left)) })
	for _, run := range runs {
		for _, miss := range run.misses() {
			fmt.Fprintf(&text, "%d nodes: %s\n", run.Nodes, miss)
		}
	}
	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("writing the figures: %w", err)
	}
	return nil
}

// misses names the targets that a run does not reach; those for a thousand nodes hold for fewer as well.
func (s Scale) misses() (all []string) {
	if s.Stopped != "" {
		all = append(all, s.Stopped)
	}
	if s.Wall > maxWall {
		all = append(all, fmt.Sprintf("target missed: wall %s s, want %.0f", seconds(s.Wall), maxWall.Seconds()))
	}
	if float64(s.Peak) > maxPeak {
		all = append(all, fmt.Sprintf("target missed: peak memory %.0f MB, want %.0f", float64(s.Peak)/1e6, maxPeak/1e6))
	}
	if s.perNode(s.total()) > maxRequests {
		all = append(all, fmt.Sprintf("target missed: %.2f requests per node, want %d", s.perNode(s.total()), maxRequests))
	}
	for _, thing := range s.Left {
		all = append(all, "left: "+thing)
	}
	return all
}

func (s Scale) total() (sum int) {
	for _, count := range s.Requests {
		sum += count
	}
	return sum
}

func (s Scale) perNode(count int) float64 { return float64(count) / float64(s.Nodes) }

// phaseNames are those of all runs, in the order of the longest list; steps are indented.
func phaseNames(runs []Scale) (names []string) {
	longest := slices.MaxFunc(runs, func(a, b Scale) int { return len(a.Phases) - len(b.Phases) })
	for _, phase := range longest.Phases {
		if phase.Step {
			phase.Name = "  " + phase.Name
		}
		names = append(names, phase.Name)
	}
	return names
}

func keys[V any](runs []Scale, of func(Scale) map[string]V) []string {
	all := map[string]bool{}
	for _, run := range runs {
		for key := range of(run) {
			all[key] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }
