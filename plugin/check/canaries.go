package check

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// between are the canaries of an ordered pair as each end knows them.
type between struct {
	sender, receiver *graph.Canaries
	header           int // bytes of IP and UDP in front of a canary
	tunnel           int // MTU of the sender's tunnel, 0 if it is not known
}

// told is the payload that the sender's kernel was told to be the largest when one of full
// size was sent, 0 if it was not, or if that is less than the run's other sizes.
func (b between) told(about *evidence.Run) int {
	full := find(b.sender.Rows, "udp", b.sender.Largest)
	if full == nil || full.PathMTU-b.header <= slices.Max(append(slices.Clone(about.Sizes), 0)) {
		return 0
	}
	return full.PathMTU - b.header
}

// reach is what became of them.
type reach struct {
	small, full fate
	fits        int    // the largest size that arrived, where a full one did not; 0 = none was tried
	passes      int    // the largest size below the full one that arrived
	sent        uint32 // small ones that were answered, repeats included
	icmp        bool
	notes       []string
}

// fate is what happened to the canaries of one size; row is the one that is reported.
type fate struct {
	status  verdict.Status
	size    int  // payload that arrived in its place, the largest that the pod was told of; 0 if none did
	answer  bool // they arrive, and their answers do not come back
	missing bool // nothing was reported
	row     evidence.CanaryRow
}

func (v *view) reach(e *graph.Edge) *reach {
	tunnel := 0
	if link := e.FromCarrier.Link; link != nil {
		tunnel = link.MTU
	}
	return reached(between{e.Sender, e.Receiver, headerSize(e.Family), tunnel}, &v.Run)
}

func reached(b between, about *evidence.Run) *reach {
	r := &reach{full: reachedFull(b, about), fits: fits(b, about.Rungs), passes: fits(b, about.Sizes)}
	kinds := map[string]uint32{}
	told := b.told(about)
	repeats := uint32(0)
	for _, row := range b.sender.Rows {
		switch {
		case row.Sent == 0 && row.Error == "" && !slices.Contains(about.Sizes, row.Size):
			continue // came from the other, whose link takes another size
		case row.Transport == "udp" && row.Size != b.sender.Largest &&
			(row.Size == told || slices.Contains(about.Rungs, row.Size)):
			continue // says how large a packet may be, and need not arrive
		}
		if row.Sent == 0 {
			if row.Transport == "icmp" {
				r.notes = append(r.notes, "no ICMP: "+row.Error)
				continue
			}
			r.small = fate{status: verdict.Inconclusive, row: row}
			return r
		}
		if row.Transport != "icmp" && row.Size == b.sender.Largest {
			continue // judged by WG0503
		}
		got := find(b.receiver.Rows, row.Transport, row.Size)
		arrived := got != nil && got.Received > 0
		switch {
		case row.Answered > 0 && (row.Transport == "icmp" || arrived):
		case row.Transport == "icmp":
			r.notes = append(r.notes, fmt.Sprintf("ICMP of %d bytes unanswered", row.Size))
			continue
		default:
			r.small = fate{status: verdict.Fail, answer: arrived, row: row}
			return r
		}
		r.sent += row.Sent
		kinds[row.Transport]++
		repeats += row.Sent - min(row.Answered, row.Sent)
	}
	if kinds["udp"] == 0 || kinds["tcp"] == 0 {
		r.small = fate{status: verdict.Inconclusive, missing: true}
		return r
	}
	if repeats > 0 {
		r.notes = append(r.notes, fmt.Sprintf("%d had to be repeated", repeats))
	}
	r.small.status = verdict.Pass
	r.icmp = kinds["icmp"] > 0
	return r
}

func reachedFull(b between, about *evidence.Run) fate {
	sent, instead, told := 0, 0, b.told(about)
	for _, row := range b.sender.Rows {
		if row.Transport == "udp" && row.Sent > 0 && (row.Size == b.sender.Largest ||
			row.Size != told && !slices.Contains(about.Rungs, row.Size)) {
			sent++
		}
	}
	if sent < len(about.Sizes) {
		return fate{status: verdict.Inconclusive} // the largest that was sent is none of full size
	}
	for _, transport := range []string{"udp", "tcp"} {
		row := find(b.sender.Rows, transport, b.sender.Largest)
		got := find(b.receiver.Rows, transport, b.sender.Largest)
		switch {
		case transport == "tcp" && row == nil:
			continue // TCP cuts its data as it likes: what counts is that UDP was sent
		case row == nil || row.Sent == 0:
			return fate{status: verdict.Inconclusive}
		case row.Answered > 0 && got != nil && got.Received > 0:
			continue
		case transport == "udp" && told > 0 && told+b.header == b.tunnel && fits(b, []int{told}) == told:
			instead = told // the node says what its tunnel takes, and that arrives
			continue
		}
		return fate{status: verdict.Fail, answer: got != nil && got.Received > 0, row: *row}
	}
	return fate{status: verdict.Pass, size: instead}
}

// fits returns the largest of some sizes below the full one that arrived and was
// answered, 0 if none was.
func fits(b between, sizes []int) int {
	most := 0
	for _, size := range sizes {
		row, got := find(b.sender.Rows, "udp", size), find(b.receiver.Rows, "udp", size)
		if size < b.sender.Largest && row != nil && row.Answered > 0 && got != nil && got.Received > 0 {
			most = max(most, size)
		}
	}
	return most
}

func find(rows []evidence.CanaryRow, transport string, size int) *evidence.CanaryRow {
	for i, row := range rows {
		if row.Transport == transport && row.Size == size {
			return &rows[i]
		}
	}
	return nil
}

func (v *view) delivered(e *graph.Edge) verdict.Outcome {
	from, to, r := e.From, e.To, v.reach(e)
	row, busy := &r.small.row, ""
	if r.small.status == verdict.Fail {
		busy = overrun(e)
	}
	switch {
	case busy != "":
		out := unknown("%s test packets of %d bytes from %s to %s were not answered in time: %s",
			transport(row), row.Size, from.Name, to.Name, busy)
		out.Variant = "busy"
		return out
	case r.small.missing:
		return unknown("%s did not report UDP and TCP test packets to %s", from.Name, to.Name)
	case r.small.status == verdict.Inconclusive:
		return unknown("%s sent no %s test packet of %d bytes to %s: %s", from.Name, row.Transport, row.Size, to.Name,
			cmp.Or(row.Error, "its time was over before"))
	case r.small.answer:
		return v.checksums(notAnswered(e, row), e)
	case r.small.status == verdict.Fail:
		return v.checksums(notArrived(e, row), e)
	}
	text := fmt.Sprintf("%d test packets over UDP, TCP", r.sent)
	if r.icmp {
		text += ", ICMP"
	}
	text += fmt.Sprintf(" answered, fastest %.1f ms", float64(e.Fastest)/1000)
	if len(r.notes) > 0 {
		text += " (" + list(r.notes) + ")"
	}
	return pass("%s", text)
}

// overrun reports that a node is so busy that a canary can come too late, which
// says nothing of the network; empty if neither is.
func overrun(e *graph.Edge) string {
	for _, n := range [...]*graph.Node{e.From, e.To} {
		if slices.ContainsFunc(n.Captures, func(c *evidence.Capture) bool { return c.Drops > 0 }) {
			return n.Name + " is too busy to watch its own network cards"
		}
		for _, p := range n.PodProblems {
			if p.Class == evidence.ProblemStarved {
				return fmt.Sprintf("of the test pod on %s, %s", n.Name, p.Text)
			}
		}
	}
	return ""
}

func (v *view) fullSize(e *graph.Edge) verdict.Outcome {
	from, to, full := e.From, e.To, &v.reach(e).full
	status, header := full.status, headerSize(e.Family)
	if status == verdict.Fail && e.FromLink() == "" {
		status = verdict.Inconclusive // no tunnel is too large; what does carry the packets is another's to say
	}
	if status == verdict.Fail && overrun(e) != "" {
		status = verdict.Inconclusive
	}
	if !slices.Contains(v.Run.Sizes, 0) && status != verdict.Fail {
		status = verdict.NotApplicable
	}
	switch {
	case status == verdict.NotApplicable:
		return skip("this run asked for no test packets of full size")
	case full.status == verdict.Inconclusive:
		return unknown("%s sent no test packet of full size to %s", from.Name, to.Name)
	case full.status == verdict.Pass && full.size > 0:
		return pass("up to %d bytes: of those of %d the pod was told that this is the most", full.size+header,
			e.Sender.Largest+header)
	case full.status == verdict.Pass:
		return pass("up to %d bytes", e.Sender.Largest+header)
	}
	return v.lostFull(e, status)
}

// lostFull reports which packets of full size are lost, in which direction, and which
// pass.
func (v *view) lostFull(e *graph.Edge, status verdict.Status) verdict.Outcome {
	reached := v.reach(e)
	full := reached.full
	size := e.Sender.Largest
	from, to := e.From, e.To
	if full.answer {
		from, to = to, from // they arrived, and what is as large came back never
	}
	header := headerSize(e.Family)
	out := fail("packets of %d bytes from the pod on %s to the pod on %s are lost", size+header, from.Name, to.Name)
	if full.row.Transport == "tcp" {
		out = fail("TCP test packets of %d bytes from the pod on %s to the pod on %s are lost, of which smaller ones "+
			"arrive", size, from.Name, to.Name)
	}
	if full.row.Error != "" {
		out.Add("%s", ": "+full.row.Error)
	}
	if e.FromLink() == "" {
		out.Add("%s", "; no WireGuard tunnel carries them")
	}
	out.Status = status
	out.Facts = map[string]string{"node": from.Name, "peer": to.Name, "size": strconv.Itoa(size + header)}
	out.Readings = sizeReadings(e)
	most := reached.fits
	switch {
	case tunnelCuts(e, most):
		most += header
		out.Variant = "pods"
		out.Add("; %s of %s takes %d, and that was not told to the pod", e.FromLink(), e.From.Name,
			e.FromCarrier.Link.MTU)
		out.Facts["device"] = e.FromLink()
		out.Facts["most"] = strconv.Itoa(e.FromCarrier.Link.MTU)
	case most > 0:
		most += header
		out.Variant = "fits"
		out.Facts["underlay"] = strconv.Itoa(most + overhead6)
	case reached.passes > 0:
		most = reached.passes + header
		out.Variant = "between"
	default:
		return out
	}
	out.Add("; those of %d bytes arrive", most)
	out.Facts["mtu"] = strconv.Itoa(most)
	return out
}

// tunnelCuts reports whether full packets are lost since the sender's tunnel takes less than its
// pod's link: what arrived, fits at most, and all larger sizes that were tried are above that.
func tunnelCuts(e *graph.Edge, fits int) bool {
	header := headerSize(e.Family)
	if e.FromCarrier.Link == nil || fits == 0 || e.Sender.Largest+header <= e.FromCarrier.Link.MTU {
		return false
	}
	for _, row := range e.Sender.Rows {
		if row.Transport == "udp" && row.Sent > 0 && row.Size > fits && row.Size+header <= e.FromCarrier.Link.MTU {
			return false
		}
	}
	return fits+header <= e.FromCarrier.Link.MTU
}

// orNone lists items, or says that there are none.
func orNone(items []string) string {
	if len(items) == 0 {
		return "none"
	}
	return list(items)
}

// sizeReadings are the sizes of UDP test packets that were answered, and that were not.
func sizeReadings(e *graph.Edge) []verdict.Reading {
	var answered, lost []string
	header := headerSize(e.Family)
	for _, row := range e.Sender.Rows {
		switch {
		case row.Transport != "udp" || row.Sent == 0:
		case row.Answered > 0:
			answered = append(answered, strconv.Itoa(row.Size+header))
		default:
			lost = append(lost, strconv.Itoa(row.Size+header))
		}
	}
	text := "answered: " + orNone(answered) + "; not answered: " + orNone(lost)
	return []verdict.Reading{{Node: e.From.Name, What: "UDP packets to the pod on " + e.To.Name + ", by bytes",
		Text: text}}
}
