package synthetic

import (
	"encoding/hex"
	"flag"
	"io"
	"net/netip"
	"strings"
)

// firsts is how many first packets a new pod sends to each target, and how many answers come back.
const firsts = 3

// flight is from which node's new pod to which node's test pod first packets went in a run.
type flight struct {
	mark     string // of the run, in hex
	from, to int
}

// Bring lets a new pod on a node do what its command line says: `wg-probe newcomer`, which sends from its first moment on
// with the mark, in hex, that is in its environment. Nothing happens for another command.
func (w *World) Bring(node int, command []string, mark string) {
	if len(command) < 2 || command[1] != "newcomer" {
		return
	}
	flags := flag.NewFlagSet(command[1], flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	for _, other := range []string{"index", "deadline", "idle"} {
		flags.String(other, "", "")
	}
	var targets []netip.AddrPort
	flags.Func("to", "", func(text string) error {
		_, at, _ := strings.Cut(text, "@")
		target, err := netip.ParseAddrPort(at)
		targets = append(targets, target)
		return err
	})
	if flags.Parse(command[2:]) != nil {
		return // a real one would not start either; nothing is seen of it
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, target := range targets {
		if to := w.Owner(target.Addr()); to != 0 && target.Port() != 0 {
			w.flights[flight{mark, node, to}] = true
		}
	}
}

// first is how many first packets and answers to them go from one node to another.
func (w *World) first(mark []byte, from, to int) (packets, answers int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	run := hex.EncodeToString(mark)
	if w.flights[flight{run, from, to}] {
		packets = firsts
	}
	if w.flights[flight{run, to, from}] && !w.cut(from, to) {
		answers = firsts
	}
	return packets, answers
}
