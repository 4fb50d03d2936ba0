package report

import (
	"strings"
	"testing"
)

// The header names cluster, time, duration and version, as far as they were recorded.
func TestHeader(t *testing.T) {
	j := judged(t, "host-healthy-wireguard")
	run := &j.Graph.Run
	const began = 1795313070828508443
	run.ID, run.Version = "abc", "v1"
	for _, test := range []struct {
		context, server string
		started, ended  int64
		want            []string
	}{
		{"", "", 0, 0, []string{"Cluster   K3s with Flannel, backend wireguard, IPv4, 2 nodes\n", "Run       abc, kubectl-wg v1\n"}},
		{"lab", "https://192.0.2.1:6443", began, began + 9e9, []string{
			"Cluster   lab (https://192.0.2.1:6443), K3s with", "Run       abc, 2026-11-22 02:04:30 UTC, 9s, kubectl-wg v1\n",
		}},
		{"lab", "", began, 0, []string{"Cluster   lab, K3s with", "02:04:30 UTC, kubectl-wg"}},
		{"", "https://192.0.2.1:6443", began, began - 1, []string{"Cluster   https://192.0.2.1:6443, K3s", "02:04:30 UTC, kubectl-wg"}},
	} {
		j.Graph.Cluster.Context, j.Graph.Cluster.Server = test.context, test.server
		run.Started, run.Ended = test.started, test.ended
		text := newText(j, Options{Width: 120}, full)
		text.header()
		for _, want := range test.want {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%q is not in\n%s", want, text.String())
			}
		}
	}
}
