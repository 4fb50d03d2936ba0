//go:build linux

package canary

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// Bounds of what is sent to ports and counted there.
const (
	maxPorts       = 8
	maxPortTargets = 8192
	maxPortSizes   = 32
	maxPortsSeen   = 1 << 14
)

// headers are the bytes of an IP packet before the payload of its datagram.
var headers = map[uint8]int{4: 20 + 8, 6: 40 + 8}

// Ports is a probe's side of datagrams to UDP ports of the hosts: it binds ports,
// counts what arrives there, and sends to those of others. It answers nothing, so
// each direction is known by itself.
type Ports struct {
	id Identity

	mu      sync.Mutex
	conns   []*net.UDPConn
	seen    map[portKey]*evidence.PortSeen
	serving sync.WaitGroup
}

type portKey struct {
	peer uint32
	port evidence.Port
}

// NewPorts returns a probe's side that does nothing yet.
func NewPorts(id Identity) *Ports { return &Ports{id: id, seen: make(map[portKey]*evidence.PortSeen)} }

// Listen binds ports on all addresses of their families, as WireGuard does, until
// Stop, and reports which of them it could bind.
func (p *Ports) Listen(ctx context.Context, ports []evidence.Port) (uses []evidence.PortUse) {
	for _, port := range ports[:min(len(ports), maxPorts)] {
		use := evidence.PortUse{Port: port}
		conn, err := bind(ctx, port)
		if err != nil {
			use.Taken = errors.Is(err, syscall.EADDRINUSE)
			use.Error = reason(err)
		} else {
			use.Bound = true
			p.mu.Lock()
			p.conns = append(p.conns, conn)
			p.mu.Unlock()
			p.serving.Go(func() { p.count(conn, port) })
		}
		uses = append(uses, use)
	}
	return uses
}

// bind binds one port of one family.
func bind(ctx context.Context, port evidence.Port) (*net.UDPConn, error) {
	if port.Family != 4 && port.Family != 6 {
		return nil, fmt.Errorf("there is no address family %d", port.Family)
	}
	var config net.ListenConfig
	conn, err := config.ListenPacket(ctx, fmt.Sprintf("udp%d", port.Family), fmt.Sprintf(":%d", port.Port))
	if err != nil {
		return nil, err
	}
	udp := conn.(*net.UDPConn)
	_ = udp.SetReadBuffer(receiveBuffer) // the default serves small clusters
	return udp, nil
}

// count counts what is genuine and for this node, until the port is closed.
func (p *Ports) count(conn *net.UDPConn, port evidence.Port) {
	buffer := make([]byte, 1<<16)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return // closed by Stop
		}
		m, ok := p.id.genuine(buffer[:n])
		if ok && m.Kind == wire.KindPort && m.Target == uint32(p.id.Index) && int(m.Family) == port.Family {
			p.saw(m, port, from, n+headers[m.Family])
		}
	}
}

// saw counts one datagram, in an IP packet of that size.
func (p *Ports) saw(m wire.Marked, port evidence.Port, from netip.AddrPort, size int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := portKey{m.Source, port}
	seen := p.seen[key]
	if seen == nil {
		if len(p.seen) >= maxPortsSeen {
			return
		}
		seen = &evidence.PortSeen{Peer: int(m.Source), Port: port}
		p.seen[key] = seen
	}
	seen.Source = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	seen.Count++
	seen.Largest = max(seen.Largest, size)
}

// Stop closes the ports and returns what was counted, by node.
func (p *Ports) Stop() (messages []evidence.Message) {
	p.mu.Lock()
	for _, conn := range p.conns {
		_ = conn.Close() // closing twice does not matter
	}
	p.conns = nil
	p.mu.Unlock()
	p.serving.Wait()
	for _, seen := range slices.SortedFunc(maps.Values(p.seen), bySender) {
		messages = append(messages, evidence.Message{PortSeen: seen})
	}
	return messages
}

func bySender(a, b *evidence.PortSeen) int {
	return cmp.Or(cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Family, b.Family), cmp.Compare(a.Port.Port, b.Port.Port))
}

// shortened is the text of an error, bounded.
func shortened(err error) string {
	text := strings.ToValidUTF8(reason(err), "")
	return text[:min(len(text), maxError)]
}
