//go:build linux

package main

import (
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

// sample is one reader under one load.
type sample struct {
	offered float64 // packets per second
	lost    float64 // share of what came by, 0 to 1
	each    time.Duration
	memory  uint64
}

// compare offers each load to both readers in turn.
func compare(net *network, p plan) error {
	var fd int
	err := net.b.do(func() (err error) { fd, err = sink(); return err })
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "payload\toffered/s\tsent/s\tours lost\ttcpdump lost\tours CPU/packet\ttcpdump CPU/packet\tratio\tours peak MB\t")
	for _, size := range p.sizes {
		for _, rate := range p.rates {
			var ours, theirs []sample
			for range p.rounds {
				one, err := measure(net, func() (*reader, error) { return startProbe(net.b, "eth0") }, size, rate, p.lasting)
				if err != nil {
					return err
				}
				other, err := measure(net, func() (*reader, error) { return startTcpdump(net.b) }, size, rate, p.lasting)
				if err != nil {
					return err
				}
				ours, theirs = append(ours, one), append(theirs, other)
			}
			a, b := typical(ours), typical(theirs)
			offered := fmt.Sprint(rate)
			if rate == 0 {
				offered = "all"
			}
			fmt.Fprintf(table, "%d\t%s\t%.0f\t%.3f %%\t%.3f %%\t%v\t%v\t%.2f\t%.1f\t\n", size, offered, a.offered,
				100*a.lost, 100*b.lost, a.each, b.each, float64(a.each)/float64(b.each), float64(a.memory)/1e6)
			if err := table.Flush(); err != nil {
				return fmt.Errorf("writing the table: %w", err)
			}
		}
	}
	return nil
}

func measure(net *network, begin func() (*reader, error), size, rate int, lasting time.Duration) (s sample, err error) {
	var from *source
	if err := net.a.do(func() (err error) { from, err = newSource(size); return err }); err != nil {
		return s, err
	}
	defer from.close()
	r, err := begin()
	if err != nil {
		return s, err
	}
	before, err := r.spent()
	if err != nil {
		return s, err
	}
	if s.offered, err = from.offer(rate, lasting); err != nil {
		return s, err
	}
	time.Sleep(300 * time.Millisecond) // the last blocks are handed over and read
	after, err := r.spent()
	if err != nil {
		return s, err
	}
	total, err := r.stop()
	if err != nil {
		return s, err
	}
	s.each = (after - before) / time.Duration(max(total.Read, 1))
	s.lost, s.memory = float64(total.Lost)/float64(max(total.Read+total.Lost, 1)), total.Memory
	return s, nil
}

// typical takes the median of each number.
func typical(all []sample) sample {
	return sample{
		offered: median(all, func(s sample) float64 { return s.offered }),
		lost:    median(all, func(s sample) float64 { return s.lost }),
		each:    time.Duration(median(all, func(s sample) float64 { return float64(s.each) })),
		memory:  uint64(median(all, func(s sample) float64 { return float64(s.memory) })),
	}
}

func median[T any](all []T, of func(T) float64) float64 {
	var numbers []float64
	for _, one := range all {
		numbers = append(numbers, of(one))
	}
	slices.Sort(numbers)
	return (numbers[(len(numbers)-1)/2] + numbers[len(numbers)/2]) / 2
}
