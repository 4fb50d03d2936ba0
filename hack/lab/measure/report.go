package measure

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// Spread is where a set of durations lies; zero for none.
type Spread struct{ Median, Min, Max time.Duration }

func spread(durations []time.Duration) Spread {
	if len(durations) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(durations))
	middle := len(sorted) / 2
	median := sorted[middle]
	if len(sorted)%2 == 0 {
		median = (sorted[middle-1] + sorted[middle]) / 2
	}
	return Spread{Median: median, Min: sorted[0], Max: sorted[len(sorted)-1]}
}

func of(rounds []Round, what func(Round) time.Duration) Spread {
	var durations []time.Duration
	for _, round := range rounds {
		durations = append(durations, what(round))
	}
	return spread(durations)
}

// secondPass is verify's step in which another pod is started for each userspace WireGuard.
const secondPass = "second pass"

// Write prints the rounds as a table, in seconds; the differences are those within a round.
func Write(w io.Writer, rounds []Round) {
	if len(rounds) == 0 {
		return
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name string, s Spread) {
		fmt.Fprintf(table, "%s\t%.3f\t%.3f\t%.3f\n", name, s.Median.Seconds(), s.Min.Seconds(), s.Max.Seconds())
	}
	fmt.Fprintln(table, "seconds\tmedian\tmin\tmax")
	ready := of(rounds, func(r Round) time.Duration { return r.Ready })
	verify := of(rounds, func(r Round) time.Duration { return r.Verify })
	row("A  pods Ready", ready)
	row("B  verify", verify)
	row("B - A", of(rounds, func(r Round) time.Duration { return r.Verify - r.Ready }))
	if rounds[0].phase(secondPass) > 0 {
		row("B - A - second pass", of(rounds, func(r Round) time.Duration { return r.Verify - r.Ready - r.phase(secondPass) }))
	}
	manual := of(rounds, func(r Round) time.Duration { return r.Manual })
	if manual.Max > 0 {
		row("C  manual procedure", manual)
	}
	row("pods gone, not waited for", of(rounds, func(r Round) time.Duration { return r.Gone }))
	for _, phase := range rounds[0].Phases {
		name := phase.Name
		if phase.Step {
			name = "  " + name
		}
		row(name, of(rounds, func(r Round) time.Duration { return r.phase(phase.Name) }))
	}
	table.Flush()
	fmt.Fprintf(w, "B / A = %.2f (of medians, %d rounds)\n", verify.Median.Seconds()/ready.Median.Seconds(), len(rounds))
	if manual.Max > 0 {
		fmt.Fprintf(w, "B / C = %.2f\n", verify.Median.Seconds()/manual.Median.Seconds())
	}
}

func (r Round) phase(name string) time.Duration {
	for _, phase := range r.Phases {
		if phase.Name == name {
			return phase.Took
		}
	}
	return 0
}
