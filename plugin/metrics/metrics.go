// Package metrics gives the state of the WireGuard devices to Prometheus: once as
// OpenMetrics, or over HTTP for as long as a command goes on.
//
// Names and labels are those of prometheus_wireguard_exporter, with the node as
// friendly_name. It must not make a series of each peer: their number grows with the
// square of the nodes', so each device has one series, the sum of its peers.
package metrics

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"

	"github.com/kubectl-wg/kubectl-wg/plugin/status"
)

// Exporter holds the latest state. The zero value is not usable, see New.
type Exporter struct {
	registry *prometheus.Registry
	latest   atomic.Pointer[status.Cluster]
}

// New returns an exporter that has no metrics until there is a state.
func New() *Exporter {
	e := &Exporter{registry: prometheus.NewRegistry()}
	e.registry.MustRegister(e)
	return e
}

// Set replaces the state.
func (e *Exporter) Set(c *status.Cluster) { e.latest.Store(c) }

// Handler serves the metrics.
func (e *Exporter) Handler() http.Handler {
	return promhttp.HandlerFor(e.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// Write writes the metrics once, as OpenMetrics.
func (e *Exporter) Write(w io.Writer) error {
	families, err := e.registry.Gather()
	if err != nil {
		return err
	}
	encoder := expfmt.NewEncoder(w, expfmt.NewFormat(expfmt.TypeOpenMetrics))
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return err
		}
	}
	closer, ok := encoder.(expfmt.Closer)
	if !ok {
		return errors.New("OpenMetrics cannot be ended")
	}
	return closer.Close()
}

var (
	device = []string{"interface", "public_key", "friendly_name"}

	sent = prometheus.NewDesc("wireguard_sent_bytes_total",
		"Bytes sent to all peers of the device.", device, nil)
	received = prometheus.NewDesc("wireguard_received_bytes_total",
		"Bytes received from all peers of the device.", device, nil)
	handshake = prometheus.NewDesc("wireguard_latest_handshake_seconds",
		"Time of the latest handshake with any peer of the device, in seconds since 1970 by the node's clock, 0 for none.",
		device, nil)
	peers = prometheus.NewDesc("wireguard_peers",
		"Peers of the device.", device, nil)
	unmet = prometheus.NewDesc("wireguard_peers_without_handshake",
		"Peers of the device with which there was never a handshake.", device, nil)
	read = prometheus.NewDesc("kubectl_wg_node_read",
		"Whether the node's devices could be read, 1 or 0.", []string{"friendly_name"}, nil)
	problems = prometheus.NewDesc("kubectl_wg_problems",
		"Problems that were found, by the code of the check.", []string{"code", "status"}, nil)
)

// Describe names the metrics.
func (e *Exporter) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{sent, received, handshake, peers, unmet, read, problems} {
		to <- d
	}
}

// Collect gives the metrics of the latest state.
func (e *Exporter) Collect(to chan<- prometheus.Metric) {
	c := e.latest.Load()
	if c == nil {
		return
	}
	for _, n := range c.Nodes {
		answered := 1.0
		if n.Lost != "" {
			answered = 0
		}
		to <- prometheus.MustNewConstMetric(read, prometheus.GaugeValue, answered, label(n.Name))
		for _, d := range n.Devices {
			collect(to, n, d)
		}
	}
	type kind struct{ code, status string }
	found := map[kind]int{}
	for _, p := range c.Problems {
		found[kind{p.Code, p.Status.String()}]++
	}
	for k, count := range found {
		to <- prometheus.MustNewConstMetric(problems, prometheus.GaugeValue, float64(count), k.code, k.status)
	}
}

func collect(to chan<- prometheus.Metric, n *status.Node, d *status.Device) {
	sum := d.Sum()
	latest := int64(0)
	never := 0
	for _, p := range d.Peers {
		latest = max(latest, p.Handshake)
		if p.Handshake == 0 {
			never++
		}
	}
	seconds := float64(time.Duration(latest) / time.Second)
	labels := []string{label(d.Name), label(d.PublicKey), label(n.Name)}
	for _, m := range []struct {
		desc  *prometheus.Desc
		kind  prometheus.ValueType
		value float64
	}{
		{sent, prometheus.CounterValue, float64(sum.TX)},
		{received, prometheus.CounterValue, float64(sum.RX)},
		{handshake, prometheus.GaugeValue, seconds},
		{peers, prometheus.GaugeValue, float64(len(d.Peers))},
		{unmet, prometheus.GaugeValue, float64(never)},
	} {
		to <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value, labels...)
	}
}

// label makes a text from a node a valid label value.
func label(text string) string { return strings.ToValidUTF8(text, "�") }
