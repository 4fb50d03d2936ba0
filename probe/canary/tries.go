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
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// Bounds of tries. A request names those of one pod.
const (
	maxTries      = 256
	maxTried      = 1024
	tryDatagrams  = 3
	tryPause      = 10 * time.Millisecond
	tryTimeout    = 2 * time.Second // of a connection
	triesAtATime  = 16
	maxTriedError = 80 // bytes
)

// tries counts what became of tries. The zero value is ready; it is safe for
// concurrent use.
type tries struct {
	mu  sync.Mutex
	all map[int]*evidence.Tried
}

// update calls change with what is known of a try, under the lock.
func (t *tries) update(id int, change func(*evidence.Tried)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = make(map[int]*evidence.Tried)
	}
	one := t.all[id]
	if one == nil {
		if len(t.all) >= maxTried {
			return
		}
		one = &evidence.Tried{ID: id}
		t.all[id] = one
	}
	change(one)
}

func (t *tries) received(m wire.Marked) {
	t.update(int(m.Sequence), func(one *evidence.Tried) { one.Received++ })
}

func (t *tries) sent(id int) { t.update(id, func(one *evidence.Tried) { one.Sent++ }) }

func (t *tries) failed(id int, what string, err error) {
	text := what + ": " + reason(err)
	t.update(id, func(one *evidence.Tried) { one.Error = text[:min(len(text), maxTriedError)] })
}

// messages returns what became of all, in the order of their numbers.
func (t *tries) messages() (messages []evidence.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(t.all)) {
		messages = append(messages, evidence.Message{Tried: t.all[id]})
	}
	return messages
}

// listenTries opens the ports of tries that are for this pod, over UDP and TCP.
// One that cannot be opened, as a low port in a restricted pod, is reported with
// the try: it is sent all the same, for its way is what counts.
func (p *Pod) listenTries(ctx context.Context, asked []evidence.Try) {
	type place struct {
		family int
		port   uint16
	}
	opened := map[place]error{}
	for _, try := range asked[:min(len(asked), maxTries)] {
		if try.Target != p.id.Index || try.Port == 0 || try.Family != 4 && try.Family != 6 {
			continue
		}
		at := place{try.Family, try.Port}
		err, known := opened[at]
		if !known {
			err = p.listenOn(ctx, uint8(try.Family), try.Port)
			opened[at] = err
		}
		if err != nil {
			p.tries.failed(try.ID, "listening", err)
		}
	}
}

// listenOn serves one more port.
func (p *Pod) listenOn(ctx context.Context, family uint8, port uint16) error {
	udp, err := net.ListenUDP(fmt.Sprintf("udp%d", family), &net.UDPAddr{Port: int(port)})
	if err == nil {
		p.serve(udp.Close, func() { p.answerUDP(udp, family) })
	}
	tcp, tcpErr := (&net.ListenConfig{}).Listen(ctx, fmt.Sprintf("tcp%d", family), fmt.Sprintf(":%d", port))
	if tcpErr == nil {
		p.serve(tcp.Close, func() { p.answerTCP(tcp, family) })
	}
	return errors.Join(err, tcpErr)
}

// sendTries sends the tries of this pod, a few at a time.
func (p *Pod) sendTries(ctx context.Context, request evidence.SendRequest) {
	places := make(chan struct{}, triesAtATime)
	var sending sync.WaitGroup
	for _, try := range request.Tries[:min(len(request.Tries), maxTries)] {
		if try.Node != p.id.Index || try.ID < 1 || try.ID > 0xffff {
			continue
		}
		places <- struct{}{}
		sending.Go(func() {
			defer func() { <-places }()
			if err := p.sendTry(ctx, try, request.Targets); err != nil {
				p.tries.failed(try.ID, "sending", err)
			}
		})
	}
	sending.Wait()
}

var errNoListener = errors.New("the target has no listener")

// sendTry sends one try to its port, or to the listener of its target.
func (p *Pod) sendTry(ctx context.Context, try evidence.Try, targets []evidence.Target) error {
	addr := try.Addr.Unmap()
	if !addr.IsValid() {
		return errNoListener
	}
	m := wire.Marked{
		Kind: wire.KindTry, Family: familyOf(addr), Transport: wire.TransportUDP,
		Source: uint32(p.id.Index), Target: uint32(try.Target), Sequence: uint16(try.ID),
	}
	var listener evidence.Target
	for _, target := range targets {
		if target.Index == try.Target && target.Addr.Unmap() == addr {
			listener = target
		}
	}
	send := p.sendTryUDP
	port := cmp.Or(try.Port, listener.UDP)
	if try.Transport == "tcp" {
		m.Transport = wire.TransportTCP
		send = p.sendTryTCP
		port = cmp.Or(try.Port, listener.TCP)
	}
	if port == 0 {
		return errNoListener
	}
	payload, err := m.Payload(wire.MarkedSize, p.id.Mark, p.id.Key)
	if err != nil {
		return err
	}
	return send(ctx, try, netip.AddrPortFrom(addr, port), payload)
}

func (p *Pod) sendTryUDP(ctx context.Context, try evidence.Try, to netip.AddrPort, payload []byte) error {
	dialer := tryDialer(try, &net.UDPAddr{Port: int(try.Source)})
	conn, err := dialer.DialContext(ctx, "udp", to.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	for range tryDatagrams {
		if _, err := conn.Write(payload); errors.Is(err, syscall.ECONNREFUSED) {
			continue // that nobody listens does not matter to the way
		} else if err != nil {
			return err
		}
		p.tries.sent(try.ID)
		time.Sleep(tryPause)
	}
	return nil
}

func (p *Pod) sendTryTCP(ctx context.Context, try evidence.Try, to netip.AddrPort, payload []byte) error {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	dialer := tryDialer(try, &net.TCPAddr{Port: int(try.Source)})
	conn, err := dialer.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(tryTimeout)); err != nil {
		return err
	}
	if _, err := conn.Write(payload); err != nil {
		return err
	}
	p.tries.sent(try.ID)
	return nil
}

// tryDialer binds to the try's source port and sets its DSCP: bits 2 to 7 of the
// octet (RFC 2474).
func tryDialer(try evidence.Try, local net.Addr) *net.Dialer {
	return &net.Dialer{LocalAddr: local, Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		outer := raw.Control(func(fd uintptr) {
			octet := int(try.DSCP&0x3f) << 2
			if try.Family == 6 {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_TCLASS, octet)
			} else {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TOS, octet)
			}
			if err == nil {
				err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			}
		})
		return errors.Join(outer, err)
	}}
}
