// Command mutants measures the tests of packages by mutation: gremlins changes
// one operator of the code at a time and runs the package's own tests, which
// should fail.
//
//	mutants -gremlins bin/gremlins [-threshold 85] [-run REGEXP] PACKAGE...
//
// It is started at the root of the module. For each package it prints how many
// mutants were killed and how many lived, and every mutant that lived, with the
// reason that docs/mutants.md gives for it. Mutants that do not compile and
// those that no test reaches are counted apart. The exit status is 1 if in a
// package less than the threshold was killed of what was tried.
//
// It puts itself in the place of the go command that gremlins calls, see
// standIn.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// reasons is where survivors are explained.
const reasons = "docs/mutants.md"

func main() {
	if filepath.Base(os.Args[0]) == "go" {
		os.Exit(standIn(os.Args[1:]))
	}
	var g gremlins
	flag.StringVar(&g.path, "gremlins", "gremlins", "the gremlins program")
	flag.StringVar(&g.tests, "run", "", "run only the tests that match, as go test -run")
	flag.IntVar(&g.workers, "workers", 1, "mutants at the same time")
	flag.IntVar(&g.patience, "patience", 20, "a mutant may take this many times as long as the tests do without it")
	threshold := flag.Float64("threshold", 85, "the share to be killed of the mutants that were tried, in percent")
	flag.Parse()
	known, err := readReasons(reasons)
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = measure(ctx, &g, flag.Args(), known, *threshold)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// measure tries the mutants of each package and prints them.
func measure(ctx context.Context, g *gremlins, packages []string, known map[survivor]string, threshold float64) error {
	var all []count
	below := 0
	for _, path := range packages {
		mutants, err := g.run(ctx, path)
		if err != nil {
			return fmt.Errorf("trying the mutants of %s: %w", path, err)
		}
		one := newCount(path, mutants)
		if one.share() < threshold {
			below++
		}
		all = append(all, one)
		if err := printLived(os.Stdout, path, mutants, known); err != nil {
			return err
		}
	}
	printCounts(os.Stdout, all)
	if below > 0 {
		return fmt.Errorf("in %d of %d packages less than %g %% of the mutants were killed", below, len(all), threshold)
	}
	return nil
}
