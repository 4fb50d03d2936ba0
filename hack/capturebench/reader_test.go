//go:build linux

package main

import "testing"

func TestTcpdumpAccount(t *testing.T) {
	parse := tcpdumpResult()
	var got result
	ends := 0
	for _, line := range []string{
		"tcpdump: listening on eth0, link-type EN10MB (Ethernet), snapshot length 262144 bytes\n",
		"1 packet captured\n", "1054 packets received by filter\n", "1053 packets dropped by kernel\n",
	} {
		if a, last := parse(line); last {
			got, ends = a, ends+1
		}
	}
	if got != (result{Read: 1, Lost: 1053}) || ends != 1 {
		t.Errorf("%+v after %d ends", got, ends)
	}
}

func TestMedian(t *testing.T) {
	for _, row := range []struct {
		of   []float64
		want float64
	}{{[]float64{7}, 7}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := median(row.of, func(f float64) float64 { return f }); got != row.want {
			t.Errorf("of %v: %v", row.of, got)
		}
	}
}
