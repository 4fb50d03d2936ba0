package scenario

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	acts "github.com/kubectl-wg/kubectl-wg/hack/lab/hostile"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
)

// Witness is an observer that shares nothing with the product: tcpdump on a link of a node, from before the command until
// after it.
type Witness struct {
	Node, Link string
	Filter     string // of tcpdump, where there is too much to keep
	Of         []byte // what it looks for in every frame
	Absent     bool   // it must find none
}

// Bystanders' packets in clear, and as an obfuscator carries them.
var (
	inClear  = []byte(acts.Marker)
	obscured = acts.Obscured(inClear)

	seesMarker   = &Witness{Node: "node-1", Link: "eth0", Of: inClear}
	seesNothing  = &Witness{Node: "node-1", Link: "eth0", Of: inClear, Absent: true}
	seesObscured = &Witness{Node: "node-1", Link: "eth0", Of: obscured}
)

// begin starts to watch; nil does nothing.
func (w *Witness) begin(ctx context.Context, lab *state.Lab) error {
	if w == nil {
		return nil
	}
	said, err := execute(ctx, lab, shell(w.Node, `
		command -v tcpdump >/dev/null || { echo "tcpdump is not installed; make test-lab installs it"; exit 1; }
		setsid tcpdump -Z root -i %s -s 0 -U -w /run/lab/witness.pcap '%s' </dev/null >/run/lab/witness.log 2>&1 &
		echo $! >/run/lab/witness.pid
		for i in $(seq 100); do grep -q 'listening on' /run/lab/witness.log && exit 0; sleep 0.05; done
		cat /run/lab/witness.log
		exit 1`, w.Link, w.Filter))
	if err != nil {
		return fmt.Errorf("starting tcpdump on %s: %w\n%s", w.Node, err, said)
	}
	return nil
}

// end stops to watch, and returns how many frames there were.
func (w *Witness) end(ctx context.Context, lab *state.Lab) (int, error) {
	said, err := execute(ctx, lab, shell(w.Node, `
		kill -INT $(cat /run/lab/witness.pid)
		for i in $(seq 100); do kill -0 $(cat /run/lab/witness.pid) 2>/dev/null || break; sleep 0.05; done
		LC_ALL=C grep -aoP '%s' /run/lab/witness.pcap | LC_ALL=C wc -l
		rm -f /run/lab/witness.*`, escaped(w.Of)))
	if err != nil {
		return 0, fmt.Errorf("stopping tcpdump on %s: %w\n%s", w.Node, err, said)
	}
	frames, err := strconv.Atoi(said)
	if err != nil {
		return 0, fmt.Errorf("counting on %s: %w", w.Node, err)
	}
	return frames, nil
}

// testify stops to watch and holds what was seen against what has to be.
func (w *Witness) testify(ctx context.Context, t *Trial) error {
	if w == nil {
		return nil
	}
	frames, err := w.end(ctx, t.lab)
	if err != nil {
		return err
	}
	t.notes = append(t.notes, fmt.Sprintf("tcpdump on %s of %s: %d frames of bystanders past the tunnel", w.Link, w.Node, frames))
	switch {
	case w.Absent && frames > 0:
		return fmt.Errorf("the scenario is not what it says: tcpdump on %s of %s saw %d frames of bystanders past the tunnel", w.Link, w.Node, frames)
	case !w.Absent && frames == 0:
		return errors.New("the scenario is not what it says: tcpdump saw no frame of bystanders past the tunnel")
	}
	return nil
}

// escaped is a pattern of grep -P.
func escaped(data []byte) string {
	var pattern strings.Builder
	for _, b := range data {
		fmt.Fprintf(&pattern, `\x%02x`, b)
	}
	return pattern.String()
}
