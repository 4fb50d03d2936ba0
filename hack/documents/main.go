//go:build linux

// Command documents runs the shell lines of the documents' blocks against a
// cluster, as a reader would: in the order in which they stand, by bash, in a folder
// of their own for each document. KUBECONFIG names the cluster, whose nodes are
// called node1 and node2 in the documents.
//
//	documents -plugin bin/kubectl-wg -nodes node-1,node-2 README.md docs/*.md
//
// A line of a program that is not for this cluster, or in which a reader has to
// replace something, is not run but counted as skipped, with the reason.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	plugin := flag.String("plugin", "bin/kubectl-wg", "the plugin")
	nodes := flag.String("nodes", "node-1,node-2", "the cluster's names of node1 and node2")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	failed, err := run(ctx, *plugin, strings.Split(*nodes, ","), flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "documents:", err)
	}
	if err != nil || failed > 0 {
		os.Exit(1)
	}
}

// run runs the lines of all documents and prints a line for each of them.
func run(ctx context.Context, plugin string, nodes, documents []string) (failed int, err error) {
	shell, err := newShell(plugin, nodes)
	if err != nil {
		return 0, err
	}
	defer shell.Close()
	passed, skipped := 0, 0
	for _, document := range documents {
		text, err := os.ReadFile(document)
		if err != nil {
			return failed, err
		}
		folder, err := shell.folder(ctx, filepath.Base(document))
		if err != nil {
			return failed, err
		}
		for _, block := range blocks(string(text)) {
			for _, line := range block {
				where := fmt.Sprintf("%s:%d: %s", document, line.number, line.command)
				if reason := line.reason(); reason != "" {
					skipped++
					fmt.Printf("skipped %s\n  %s\n", where, reason)
					continue
				}
				output, err := shell.run(ctx, folder, line)
				if ctx.Err() != nil {
					return failed, context.Cause(ctx)
				}
				if err != nil {
					failed++
					fmt.Printf("FAILED  %s\n  %v\n%s\n", where, err, indent(output))
					continue
				}
				passed++
				fmt.Printf("ok      %s\n", where)
			}
		}
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	return failed, nil
}

func indent(text string) string {
	return "  | " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  | ")
}
