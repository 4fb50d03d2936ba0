package scenario

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// bystanderWatch are clusters whose other pods send as much as the machine gives, inside the tunnel. `make test-bystander`
// repeats the first for half an hour, and then runs the second.
var bystanderWatch = []Scenario{
	{
		Name: "bystander-load", Title: "other pods send all that goes through the tunnel, and none of it in clear",
		Cluster: wireguard, Sabotage: load, Restore: dropBystanders, Want: pass, Args: largeBuffer,
		Witness: betweenBystanders(true), Noted: codeLeak, Measured: &loadMeasured,
	},
	{
		Name: "bystander-one-frame", Title: "other pods send all that goes through the tunnel, and one single frame in clear",
		Cluster: wireguard, Sabotage: load, Restore: dropBystanders, Want: fail(codeLeak), Args: append([]string{"-v"}, largeBuffer...),
		Disturb: oneFrame, Witness: betweenBystanders(false), Noted: codeLeak, Measured: &loadMeasured, After: named, Unmendable: byHand,
	},
}

// largeBuffer holds what the nodes, which share two processors with all else, are late to read: frames of 64 KB, as a veth
// carries them. A capture that loses frames proves nothing.
var largeBuffer = []string{"--capture-buffer", "67108864"}

func betweenBystanders(absent bool) *Witness {
	filter := fmt.Sprintf("src host %s and dst host %s", bystanderFrom, bystanderTo)
	return &Witness{Node: "node-1", Link: "eth0", Filter: filter, Of: inClear, Absent: absent}
}

// load is one TCP stream between bystanders.
func load(nodes []string) []Command {
	return append(bystanders(nodes), talk(nodes, "tcp", "--every 0 --size 65536", bystanderPort, false)...)
}

var loadMeasured = shell("node-2", "tail -n 1 /run/lab/take.log | sed 's/received \\(.*\\)......$/bystanders received \\1 MB/'")

// oneFrame sends a bystander's packet past the tunnel, by a packet socket.
func oneFrame(ctx context.Context, t *Trial) error {
	line := fmt.Sprintf("/opt/lab/lab hostile frame eth0 %s:4321 %s:%d", bystanderFrom, bystanderTo, bystanderPort)
	return whileCapturing(0, "", line)(ctx, t)
}

// named holds that the report names the packet.
func named(_ context.Context, t *Trial) error {
	for _, f := range t.report.Findings {
		if f.Code == codeLeak && f.Status == "fail" && strings.Contains(f.Text, bystanderFrom) && strings.Contains(f.Text, bystanderTo) {
			return nil
		}
	}
	return errors.New("the report does not name the bystanders' addresses")
}

// takeNotes notes what a scenario wants to be known.
func (t *Trial) takeNotes(ctx context.Context, s Scenario) error {
	for _, f := range t.report.Findings {
		if f.Code == s.Noted && f.Status != "notApplicable" {
			t.notes = append(t.notes, f.Text)
		}
	}
	if s.Measured == nil {
		return nil
	}
	said, err := execute(ctx, t.lab, *s.Measured)
	if err != nil {
		return fmt.Errorf("measuring: %w\n%s", err, said)
	}
	t.notes = append(t.notes, said)
	return nil
}
