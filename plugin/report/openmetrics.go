package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// metrics is an exposition in OpenMetrics' text format that is being written.
// https://prometheus.io/docs/specs/om/open_metrics_spec/
type metrics struct{ strings.Builder }

// label is one label of a sample.
type label struct{ name, value string }

// family begins a metric family. All of its samples follow.
func (m *metrics) family(name, kind, unit, help string) {
	fmt.Fprintf(m, "# TYPE %s %s\n", name, kind)
	if unit != "" {
		fmt.Fprintf(m, "# UNIT %s %s\n", name, unit)
	}
	fmt.Fprintf(m, "# HELP %s %s\n", name, help)
}

// sample writes one value.
func (m *metrics) sample(name string, value float64, labels ...label) {
	m.WriteString(name)
	for i, l := range labels {
		begin := ","
		if i == 0 {
			begin = "{"
		}
		fmt.Fprintf(m, `%s%s="%s"`, begin, l.name, labelValue(l.value))
	}
	if len(labels) > 0 {
		m.WriteString("}")
	}
	fmt.Fprintf(m, " %s\n", strconv.FormatFloat(value, 'f', -1, 64))
}

// labelValue escapes the value of a label.
func labelValue(text string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(clean(text))
}

// writeOpenMetrics writes the verdict for a textfile collector or a push gateway:
// gauges, since each run is a state and no sum.
func writeOpenMetrics(w io.Writer, j *check.Judgement, options Options) error {
	d := newDocument(j, options)
	m := &metrics{}
	m.about(&d)
	m.verdict(j, &d)
	m.proof(&d)
	m.checks(&d)
	m.traffic(&d)
	m.WriteString("# EOF\n")
	_, err := io.WriteString(w, m.String())
	return err
}

func (m *metrics) about(d *document) {
	const name = "kubectl_wg_verify"
	m.family(name, "info", "", "What was verified, by whom and with what.")
	var labels []label
	for _, f := range d.facts() {
		labels = append(labels, label{snake(f.name), f.value})
	}
	m.sample(name+"_info", 1, labels...)
}

// snake writes a name as metrics are written: serverVersion is server_version.
func snake(name string) string {
	name = strings.NewReplacer("SHA256", "Sha256", "UID", "Uid").Replace(name)
	var b strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (m *metrics) verdict(j *check.Judgement, d *document) {
	const name = "kubectl_wg_verify_verdict"
	m.family(name, "stateset", "", "The verdict of the last run.")
	for _, one := range []verdict.Verdict{verdict.Passed, verdict.Failed, verdict.Undecided} {
		m.sample(name, number(one == d.Verdict), label{name, string(one)})
	}
	m.family("kubectl_wg_verify_exit_code", "gauge", "", "0 verified, 1 not verified, 3 inconclusive.")
	m.sample("kubectl_wg_verify_exit_code", float64(d.ExitCode))
	const started, ended = "kubectl_wg_verify_started_timestamp_seconds", "kubectl_wg_verify_ended_timestamp_seconds"
	for _, time := range []struct {
		name, help string
		at         int64
	}{
		{started, "When the run began, since 1970.", j.Graph.Run.Started},
		{ended, "When the last reading was taken, since 1970.", j.Graph.Run.Ended},
	} {
		if time.at > 0 {
			m.family(time.name, "gauge", "seconds", time.help)
			m.sample(time.name, float64(time.at/1e6)/1e3)
		}
	}
}

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// proof writes how many directions, and steps of their proofs, have which status.
func (m *metrics) proof(d *document) {
	m.family("kubectl_wg_verify_nodes", "gauge", "", "Nodes under test.")
	m.sample("kubectl_wg_verify_nodes", float64(d.Totals.Nodes))
	const directions = "kubectl_wg_verify_directions"
	m.family(directions, "gauge", "", "Directions between nodes, in each family, by the status of their proof.")
	for _, status := range statusOrder {
		m.sample(directions, float64(d.Totals.Statuses[status]), label{"status", status.String()})
	}
	const steps = "kubectl_wg_verify_steps"
	m.family(steps, "gauge", "", "Directions by the status of each step of their proof.")
	for _, step := range d.Totals.Steps {
		for _, status := range statusOrder {
			if count := step.Statuses[status]; count > 0 {
				m.sample(steps, float64(count), label{"step", string(step.Step)}, label{"title", step.Title},
					label{"status", status.String()})
			}
		}
	}
}

// statusOrder are the statuses of a direction, the gravest first.
var statusOrder = []verdict.Status{verdict.Fail, verdict.Inconclusive, verdict.Warn, verdict.Pass}

// checks writes how often each check found something that is not fine.
func (m *metrics) checks(d *document) {
	const findings = "kubectl_wg_verify_findings"
	m.family(findings, "gauge", "", "What the checks found that is not fine, by check and status.")
	for _, total := range d.Totals.Checks {
		for _, status := range statusOrder[:3] {
			if count := total.Statuses[status]; count > 0 {
				m.sample(findings, float64(count), label{"code", total.Code}, label{"status", status.String()})
			}
		}
	}
	const causes = "kubectl_wg_verify_causes"
	m.family(causes, "gauge", "", "What is wrong and nothing else explains, by kind.")
	counts := map[verdict.Kind]int{}
	for i := range d.Causes {
		counts[d.Causes[i].Kind]++
	}
	for _, kind := range []verdict.Kind{verdict.Plaintext, verdict.Blocked, verdict.Misconfigured, verdict.Unproven} {
		m.sample(causes, float64(counts[kind]), label{"kind", string(kind)})
	}
}

// traffic writes the figures of the whole run.
func (m *metrics) traffic(d *document) {
	f := &d.Totals.Figures
	for _, one := range []struct {
		name, unit, help string
		value            float64
	}{
		{"plaintext_frames", "", "Frames with a pod's packet in clear.", float64(f.PlaintextFrames)},
		{"captured_frames", "", "Frames captured on links that leave a host.", float64(f.FramesCaptured)},
		{"dropped_frames", "", "Frames that a capture lost.", float64(f.FramesDropped)},
		{"test_packets_sent", "", "Test packets sent.", float64(f.PacketsSent)},
		{"test_packets_answered", "", "Test packets answered.", float64(f.PacketsAnswered)},
		{"ciphertext_bytes", "bytes", "WireGuard messages captured leaving their senders.", float64(f.CapturedBytesSent)},
		{"handshake_age_seconds", "seconds", "Age of the oldest last handshake.", f.HandshakeAge},
	} {
		m.family("kubectl_wg_verify_"+one.name, "gauge", one.unit, one.help)
		m.sample("kubectl_wg_verify_"+one.name, one.value)
	}
}
