//go:build linux

package canary

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// Bounds of the TCP listener.
const (
	maxConns    = 2048
	connTimeout = 10 * time.Second
)

// Listen answers canaries over UDP and TCP until Stop and returns the ports by
// "udp4", "tcp4", "udp6", "tcp6". A family that this pod has not is a problem.
func (p *Pod) Listen(ctx context.Context, request evidence.ListenRequest) (map[string]uint16, []evidence.Problem) {
	ports := make(map[string]uint16)
	var problems []evidence.Problem
	for _, n := range request.Families {
		if n != 4 && n != 6 {
			continue
		}
		family := uint8(n)
		udp, err := listenUDP(ctx, family, 0)
		if err == nil {
			p.serve(udp.Close, func() { p.answerUDP(udp, family) })
			ports[fmt.Sprintf("udp%d", n)] = udp.LocalAddr().(*net.UDPAddr).AddrPort().Port()
		}
		tcp, tcpErr := (&net.ListenConfig{}).Listen(ctx, fmt.Sprintf("tcp%d", n), ":0")
		if tcpErr == nil {
			p.serve(tcp.Close, func() { p.answerTCP(tcp, family) })
			ports[fmt.Sprintf("tcp%d", n)] = tcp.Addr().(*net.TCPAddr).AddrPort().Port()
		}
		if err := errors.Join(err, tcpErr); err != nil {
			problems = append(problems, evidence.Problem{
				Class: evidence.ProblemUnsupported, What: "listen", On: fmt.Sprintf("IPv%d", n), Text: reason(err)})
		}
	}
	p.listenTries(ctx, request.Tries)
	return ports, problems
}

func (p *Pod) serve(stop func() error, run func()) {
	p.mu.Lock()
	if p.pace == nil {
		p.pace = newPace()
	}
	p.listeners = append(p.listeners, stop)
	p.mu.Unlock()
	p.serving.Go(run)
}

// forMe reports whether a genuine payload is of a kind and for this pod.
func (p *Pod) forMe(m wire.Marked, kind, family, transport uint8) bool {
	return m.Kind == kind && m.Target == uint32(p.id.Index) && m.Family == family && m.Transport == transport
}

func (p *Pod) answerUDP(conn *net.UDPConn, family uint8) {
	buffer := make([]byte, 1<<16)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return // closed by Stop
		}
		m, ok := p.id.genuine(buffer[:n])
		switch {
		case ok && p.forMe(m, wire.KindFirst, family, wire.TransportUDP):
			p.counters.first(m)
		case ok && p.forMe(m, wire.KindCanary, family, wire.TransportUDP):
			p.counters.received(m)
		case ok && p.forMe(m, wire.KindTry, family, wire.TransportUDP):
			p.tries.received(m)
			continue
		default:
			continue
		}
		answer, err := p.id.answer(m)
		if err == nil {
			_, err = conn.WriteToUDPAddrPort(answer, from)
		}
		if err != nil {
			text := "answering: " + reason(err)
			p.counters.update(m.Source, family, m.Transport, m.Size, func(r *row) { r.err = text })
		}
	}
}

func (p *Pod) answerTCP(listener net.Listener, family uint8) {
	places := make(chan struct{}, maxConns)
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err != nil {
			time.Sleep(time.Millisecond) // e.g. out of descriptors
			continue
		}
		places <- struct{}{}
		p.serving.Go(func() {
			defer func() { conn.Close(); <-places }()
			conn.SetDeadline(time.Now().Add(connTimeout))
			p.answerConn(conn, family)
		})
	}
}

func (p *Pod) answerConn(conn net.Conn, family uint8) {
	m, ok := readMarked(conn, p.id)
	if ok && p.forMe(m, wire.KindTry, family, wire.TransportTCP) {
		p.tries.received(m)
		return
	}
	if !ok || !p.forMe(m, wire.KindCanary, family, wire.TransportTCP) {
		return
	}
	p.counters.received(m)
	if answer, err := p.id.answer(m); err == nil {
		_, _ = conn.Write(answer) // an answer that is lost is missed by the sender
	}
}

// readMarked reads one marked payload from a stream. Nothing beyond the header
// is read, nor memory taken for it, unless the header is genuine.
func readMarked(stream io.Reader, id Identity) (wire.Marked, bool) {
	header := make([]byte, wire.MarkedSize)
	if _, err := io.ReadFull(stream, header); err != nil {
		return wire.Marked{}, false
	}
	m, ok := wire.ParseMarked(header, id.Mark, id.Key)
	if !ok || m.Size < wire.MarkedSize {
		return m, false
	}
	payload := make([]byte, m.Size)
	copy(payload, header)
	if _, err := io.ReadFull(stream, payload[wire.MarkedSize:]); err != nil {
		return m, false
	}
	return id.genuine(payload)
}
