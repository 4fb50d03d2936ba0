//go:build linux

package canary

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/udp"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// Bounds of packets of classes, see evidence.Class.
const (
	maxReachTargets = 4096
	maxClassed      = 1 << 14 // of what is counted
	reachDatagrams  = 3       // of one attempt
	reachAtATime    = 256
	maxClassAnswer  = 512 // of it no more is read, and no DNS answer is longer (RFC 1035 2.3.4)
)

// Classes is one agent's side of the packets of classes, of a test pod or of a
// probe: it sends, answers and counts both. The answers are authenticated like
// those to canaries; to anything else it is silent.
type Classes struct {
	id     Identity
	domain string // of the cluster's names

	mu       sync.Mutex
	sequence uint16 // of the last datagram
	counted  map[classedKey]*classed
	conns    []*udp.Server // that are answered on
	serving  sync.WaitGroup
}

type classedKey struct {
	class  uint8
	peer   uint32
	family uint8
}

// classed is an evidence.Classed as it is being counted.
type classed struct {
	evidence.Classed
	answered, received map[uint16]bool // by sequence: a duplicate counts once
}

// NewClasses returns an agent's side that does nothing yet.
func NewClasses(id Identity) *Classes { return &Classes{id: id, domain: clusterDomain(resolvConf)} }

// Answer answers packets of classes until Stop, at a port, or at one that the
// kernel chooses if it is 0. It returns the ports by "udp4", "udp6". That a family
// cannot be listened on is a problem.
func (c *Classes) Answer(request evidence.AnswerRequest, port int) (map[string]uint16, []evidence.Problem) {
	ports := make(map[string]uint16)
	var problems []evidence.Problem
	for _, n := range request.Families {
		if n != 4 && n != 6 {
			continue
		}
		conn, err := udp.Listen(n, port)
		if err != nil {
			problems = append(problems, evidence.Problem{
				Class: evidence.ProblemUnsupported, What: "answer", On: fmt.Sprintf("IPv%d", n), Text: reason(err)})
			continue
		}
		ports[fmt.Sprintf("udp%d", n)] = conn.Port()
		c.mu.Lock()
		c.conns = append(c.conns, conn)
		c.mu.Unlock()
		c.serving.Go(func() { c.serve(conn, uint8(n)) })
	}
	return ports, problems
}

func (c *Classes) serve(conn *udp.Server, family uint8) {
	buffer := make([]byte, 2*wire.MarkedSize)
	for {
		n, from, asked, err := conn.Read(buffer)
		if err != nil {
			return // closed by Stop
		}
		m, ok := c.id.genuine(buffer[:n])
		if !ok || m.Kind != wire.KindClass || m.Target != uint32(c.id.Index) || m.Family != family ||
			evidence.ClassNumbered(m.Class) == "" {
			continue
		}
		c.update(m.Class, m.Source, family, func(one *classed) { one.received[m.Sequence] = true })
		m.Kind = wire.KindClassAnswer
		m.Source, m.Target = m.Target, m.Source
		if answer, err := m.Payload(int(m.Size), c.id.Mark, c.id.Key); err == nil {
			_ = conn.Answer(answer, from, asked) // one that is lost is missed by the sender
		}
	}
}

// Send sends to every target at once, repeats what stays unanswered, and returns
// when each was answered or the time is over.
func (c *Classes) Send(ctx context.Context, request evidence.ReachRequest) {
	attempts := min(max(request.Attempts, 1), maxAttempts)
	timeout := min(max(time.Duration(request.Timeout)*time.Millisecond, time.Millisecond), maxTimeout)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	places := make(chan struct{}, reachAtATime)
	var sending sync.WaitGroup
	for _, target := range request.Targets[:min(len(request.Targets), maxReachTargets)] {
		if target.Class.Number() == 0 || target.Index < 0 || !target.Addr.IsValid() {
			continue
		}
		places <- struct{}{}
		sending.Go(func() {
			defer func() { <-places }()
			c.reach(ctx, target, attempts, timeout/time.Duration(attempts))
		})
	}
	sending.Wait()
}

// reach sends to one target. Each attempt has a socket of its own: where a packet
// was tracked before its Service's address was translated, those of the same
// socket stay untranslated (linux net/netfilter/nf_nat_core.c: a translation is
// set up for the first packet of a connection).
func (c *Classes) reach(ctx context.Context, target evidence.ReachTarget, attempts int, pause time.Duration) {
	for range attempts {
		answered := false
		attempt, cancel := context.WithTimeout(ctx, pause)
		err := c.attempt(attempt, target, &answered)
		if err != nil {
			text := reason(err)
			c.to(target, func(one *classed) { one.Error = text[:min(len(text), maxError)] })
		}
		if !answered {
			<-attempt.Done()
		}
		cancel()
		if answered || ctx.Err() != nil {
			return
		}
	}
}

// attempt sends some datagrams, and notes whether all were answered before ctx ends.
func (c *Classes) attempt(ctx context.Context, target evidence.ReachTarget, answered *bool) error {
	addr := netip.AddrPortFrom(target.Addr.Addr().Unmap(), target.Addr.Port())
	family := familyOf(addr.Addr())
	conn, err := net.ListenUDP(fmt.Sprintf("udp%d", family), nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	for range reachDatagrams {
		payload, err := c.next(target, family)
		if err == nil {
			_, err = conn.WriteToUDPAddrPort(payload, addr)
		}
		if err != nil {
			return err
		}
		c.to(target, func(one *classed) { one.Sent++ })
	}
	*answered = c.await(conn, target, family)
	return nil
}

// next is the payload of the next datagram to a target.
func (c *Classes) next(target evidence.ReachTarget, family uint8) ([]byte, error) {
	c.mu.Lock()
	c.sequence++
	sequence := c.sequence
	c.mu.Unlock()
	payload, err := wire.Marked{
		Kind: wire.KindClass, Family: family, Transport: wire.TransportUDP, Class: target.Class.Number(),
		Source: uint32(c.id.Index), Target: uint32(target.Index), Sequence: sequence,
	}.Payload(wire.MarkedSize, c.id.Mark, c.id.Key)
	if err == nil && target.Class == evidence.ClassDNS {
		payload, err = wire.Question(sequence, payload, c.domain)
	}
	return payload, err
}

// resolvConf is where a pod finds how names are resolved.
const resolvConf = "/etc/resolv.conf"

// clusterDomain is the domain of a cluster's names, from what the kubelet writes for
// its pods: among the domains to search is that of Services, svc.DOMAIN
// (kubernetes pkg/kubelet/network/dns). Without it, it is the one that clusters have
// by default.
func clusterDomain(file string) string {
	const byDefault, ofServices = "cluster.local", "svc."
	text, err := os.ReadFile(file)
	if err != nil {
		return byDefault
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "search" {
			continue
		}
		for _, domain := range words[1:] {
			if found, isServices := strings.CutPrefix(strings.Trim(domain, "."), ofServices); isServices && found != "" {
				return found
			}
		}
	}
	return byDefault
}

// answer returns the header of an answer from a target, if it is a genuine one.
func (c *Classes) answer(b []byte, target evidence.ReachTarget, family uint8) (wire.Marked, bool) {
	kind, source, to := uint8(wire.KindClassAnswer), target.Index, c.id.Index
	if target.Class == evidence.ClassDNS { // it repeats what was asked
		kind, source, to = wire.KindClass, to, source
		var isAnswer bool
		if b, isAnswer = wire.Questioned(b); !isAnswer {
			return wire.Marked{}, false
		}
	}
	m, genuine := c.id.genuine(b)
	return m, genuine && m.Kind == kind && m.Class == target.Class.Number() && m.Family == family &&
		m.Source == uint32(source) && m.Target == uint32(to)
}

// await takes the answers to one attempt, and reports whether all came before the
// socket's time was over.
func (c *Classes) await(conn *net.UDPConn, target evidence.ReachTarget, family uint8) bool {
	buffer := make([]byte, maxClassAnswer)
	for answered := 0; answered < reachDatagrams; {
		n, _, err := conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return false
		}
		m, ok := c.answer(buffer[:n], target, family)
		if !ok {
			continue
		}
		c.to(target, func(one *classed) {
			if !one.answered[m.Sequence] {
				one.answered[m.Sequence] = true
				answered++
			}
		})
	}
	return true
}

// to changes what is counted of a target.
func (c *Classes) to(target evidence.ReachTarget, change func(*classed)) {
	family := familyOf(target.Addr.Addr())
	c.update(target.Class.Number(), uint32(target.Index), family, func(one *classed) {
		one.Addr = target.Addr
		change(one)
	})
}

// update calls change with what is counted, under the lock.
func (c *Classes) update(class uint8, peer uint32, family uint8, change func(*classed)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := classedKey{class, peer, family}
	one := c.counted[key]
	if one == nil {
		if len(c.counted) >= maxClassed {
			return
		}
		if c.counted == nil {
			c.counted = make(map[classedKey]*classed)
		}
		one = &classed{answered: make(map[uint16]bool), received: make(map[uint16]bool)}
		one.Class = evidence.ClassNumbered(class)
		one.Peer = int(peer)
		one.Family = int(family)
		c.counted[key] = one
	}
	change(one)
}

// Stop ends the answering and returns what was counted, in an order of its own.
func (c *Classes) Stop() (messages []evidence.Message) {
	c.mu.Lock()
	for _, conn := range c.conns {
		_ = conn.Close() // closing twice does not matter
	}
	c.conns = nil
	c.mu.Unlock()
	c.serving.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range slices.Collect(maps.Values(c.counted)) {
		one.Answered = uint32(len(one.answered))
		one.Received = uint32(len(one.received))
		messages = append(messages, evidence.Message{Classed: &one.Classed})
	}
	slices.SortFunc(messages, func(m, n evidence.Message) int {
		a, b := m.Classed, n.Classed
		return cmp.Or(cmp.Compare(a.Class.Number(), b.Class.Number()), cmp.Compare(a.Peer, b.Peer),
			cmp.Compare(a.Family, b.Family))
	})
	return messages
}
