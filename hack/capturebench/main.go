//go:build linux

// Command capturebench compares the probe's capture with tcpdump under the same
// load, and a tunnel's throughput with and without a capture.
//
// It needs root, iproute2 and tcpdump. All its traffic stays within two network
// namespaces that it makes and that end with it:
//
//	a: eth0 192.0.2.10 ──── veth ──── eth0 192.0.2.11 :b
//	   wg0  10.42.0.1  ─ wireguard-go ─ 10.42.1.1 wg0
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// plan is what to measure.
type plan struct {
	rates   []int         // packets per second, 0 as fast as they go
	sizes   []int         // UDP payload bytes
	lasting time.Duration // each load and each transfer
	rounds  int           // of each load, and of each transfer
	limits  []int         // of transfers, in Mbit/s, 0 for none
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == readerCommand {
		exit(read(os.Args[2:]))
	}
	p := plan{}
	rates := flag.String("rates", "10000,50000,100000,200000,400000,0", "packets per second to offer in turn, 0 as fast as they go, none to skip this")
	sizes := flag.String("sizes", "1452,96", "UDP payloads in bytes")
	flag.DurationVar(&p.lasting, "for", 2*time.Second, "how long each load and each transfer lasts")
	flag.IntVar(&p.rounds, "rounds", 3, "how often each is measured; medians are printed")
	limits := flag.String("limits", "0,1000", "rates of the link in Mbit/s at which to measure the tunnel's throughput in turn, 0 for no limit, none to skip this")
	flag.Parse()
	var err error
	if p.rates, err = numbers(*rates); err == nil {
		p.sizes, err = numbers(*sizes)
	}
	if err == nil {
		p.limits, err = numbers(*limits)
	}
	if err == nil {
		err = run(p)
	}
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "capturebench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(p plan) error {
	fmt.Printf("%d cores, kernel %s, load average %s, %d rounds of %v each\n", runtime.NumCPU(), release(), load(), p.rounds, p.lasting)
	net, err := newNetwork()
	if err != nil {
		return err
	}
	defer net.close()
	if len(p.rates) > 0 {
		if err := compare(net, p); err != nil {
			return err
		}
	}
	if len(p.limits) > 0 {
		if err := transfers(net, p); err != nil {
			return err
		}
	}
	fmt.Printf("load average at the end %s\n", load())
	return nil
}

func numbers(list string) (out []int, err error) {
	if list == "" {
		return nil, nil
	}
	for _, word := range strings.Split(list, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%q is not a number", word)
		}
		out = append(out, n)
	}
	return out, nil
}

func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b))[:3], " ")
}

func release() string {
	var about unix.Utsname
	if unix.Uname(&about) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(about.Release[:])
}
