package cluster

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
)

// sockets opens WebSockets to commands, with gorilla/websocket, which client-go
// uses too. client-go's own executor takes too much memory: a run among 1,000
// nodes has 2,000 sessions open at a time. One open session takes, as measured
// by BenchmarkSessions with 300 of them (client-go 0.36.3, Go 1.26, amd64):
//
//	            goroutines  heap   stacks  opening all 300
//	client-go            8  249 KB  40 KB  1.1 to 2.4 s
//	this package         1   32 KB  15 KB  0.6 to 0.8 s
//
// Among 300 nodes client-go's executor would do: 145 MB more than the 105 MB of
// a whole run. Among 1,000 nodes it is 484 MB more than 368 MB, and a run may
// take 512 MB (docs/performance.md).
type sockets struct {
	transport *transport.Config // credentials
	dialer    websocket.Dialer
	period    time.Duration // between pings
	patience  time.Duration // how long a server may not answer them
}

const (
	socketBuffer = 4 << 10 // bytes of a message that are read or written at a time
	headerBuffer = 512     // bytes for the headers of messages; larger reads bypass it
)

func newSockets(config *rest.Config) (*sockets, error) {
	credentials, err := config.TransportConfig()
	if err != nil {
		return nil, err
	}
	security, err := transport.TLSConfigFor(credentials)
	if err != nil {
		return nil, err
	}
	if security != nil {
		// Resuming a TLS session costs both sides a fraction of a full handshake.
		security = security.Clone()
		security.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	proxy := config.Proxy
	if proxy == nil {
		proxy = utilnet.NewProxierWithNoProxyCIDR(http.ProxyFromEnvironment)
	}
	return &sockets{transport: credentials, dialer: websocket.Dialer{
		Proxy: proxy, TLSClientConfig: security, Subprotocols: []string{remotecommand.StreamProtocolV5Name},
		ReadBufferSize: headerBuffer, WriteBufferSize: socketBuffer, WriteBufferPool: &sync.Pool{},
	}, period: 15 * time.Second, patience: time.Minute}, nil
}

// errProtocol is the error for a server with WebSockets, but without the
// protocol that can close stdin.
var errProtocol = errors.New("the server does not support " + remotecommand.StreamProtocolV5Name)

// open starts the command of an exec request. Its error wraps refused if the
// server answered something else, see withoutWebSockets.
func (s *sockets) open(ctx context.Context, exec *url.URL) (*socket, error) {
	dialing := &dialing{dialer: s.dialer}
	withCredentials, err := transport.HTTPWrappersForConfig(s.transport, dialing)
	if err != nil {
		return nil, err
	}
	// RFC 6455, 4.1: the method of a WebSocket's request is GET.
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, exec.String(), nil)
	if err != nil {
		return nil, err
	}
	response, err := withCredentials.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	response.Body.Close()
	if dialing.conn.Subprotocol() == "" {
		dialing.conn.Close()
		return nil, errProtocol
	}
	return &socket{conn: dialing.conn, period: s.period, patience: s.patience}, nil
}

// dialing is the innermost of the round trippers that add credentials. It keeps
// the connection that it opened.
type dialing struct {
	dialer websocket.Dialer
	conn   *websocket.Conn
}

func (d *dialing) RoundTrip(request *http.Request) (response *http.Response, err error) {
	to := *request.URL
	switch to.Scheme {
	case "https":
		to.Scheme = "wss"
	case "http":
		to.Scheme = "ws"
	}
	d.conn, response, err = d.dialer.DialContext(request.Context(), to.String(), request.Header)
	if err != nil {
		if response != nil { // its body was read, up to a bound
			body, _ := io.ReadAll(response.Body)
			err = newRefused(response, body)
		}
		return nil, err
	}
	return response, nil
}

// socket is a WebSocket to a command in a pod. Each of its messages begins
// with the number of a stream, see remotecommand.StreamStdIn and those next to it.
type socket struct {
	conn             *websocket.Conn
	period, patience time.Duration // see sockets
	heartbeat        *time.Timer
}

// maxStatus is how much is kept of the status that ends a command, in bytes.
const maxStatus = 64 << 10

// run connects the command's streams until it ends or ctx does.
func (s *socket) run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) error {
	defer s.conn.Close()
	stop := context.AfterFunc(ctx, func() { s.conn.Close() })
	defer stop()
	alive := func(string) error { return s.conn.SetReadDeadline(time.Now().Add(s.patience)) }
	s.conn.SetPongHandler(alive)
	if err := alive(""); err != nil {
		return fmt.Errorf("setting the connection's deadline: %w", err)
	}
	s.heartbeat = time.AfterFunc(math.MaxInt64, s.ping) // ping itself uses the timer
	s.heartbeat.Reset(s.period)
	defer s.heartbeat.Stop()
	go s.write(stdin)
	err := s.read(stdout, stderr)
	return cmp.Or(context.Cause(ctx), err)
}

// ping sends a ping now and after every period. When that fails, reading ends
// by its deadline.
func (s *socket) ping() {
	if s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(s.patience)) == nil {
		s.heartbeat.Reset(s.period)
	}
}

// write sends stdin to the command until stdin ends, and then that it ended.
func (s *socket) write(stdin io.Reader) {
	buffer := make([]byte, socketBuffer)
	for {
		buffer[0] = remotecommand.StreamStdIn
		n, err := stdin.Read(buffer[1:])
		if n > 0 && s.send(buffer[:1+n]) != nil {
			return
		}
		if err == io.EOF {
			_ = s.send([]byte{remotecommand.StreamClose, remotecommand.StreamStdIn}) // an error ends reading too
		}
		if err != nil {
			return
		}
	}
}

// send sends one message. If that fails it closes the connection, so that
// reading ends too.
func (s *socket) send(message []byte) error {
	err := s.conn.SetWriteDeadline(time.Now().Add(s.patience))
	if err == nil {
		err = s.conn.WriteMessage(websocket.BinaryMessage, message)
	}
	if err != nil {
		s.conn.Close()
	}
	return err
}

// read copies what the command writes until it ends, and returns how it ended.
func (s *socket) read(stdout, stderr io.Writer) error {
	buffer := make([]byte, socketBuffer)
	var status bytes.Buffer
	for {
		_, message, err := s.conn.NextReader()
		if status.Len() > 0 && err != nil {
			return exitError(status.Bytes())
		}
		if err != nil {
			return fmt.Errorf("the connection ended before the command: %w", err)
		}
		if _, err = io.ReadFull(message, buffer[:1]); err != nil {
			return fmt.Errorf("reading the connection: %w", err)
		}
		to := io.Discard
		switch buffer[0] {
		case remotecommand.StreamStdOut:
			to = stdout
		case remotecommand.StreamStdErr:
			to = stderr
		case remotecommand.StreamErr:
			to = &status
			message = io.LimitReader(message, int64(maxStatus-status.Len()))
		}
		if _, err = io.CopyBuffer(to, message, buffer); err != nil {
			return fmt.Errorf("reading the connection: %w", err)
		}
	}
}

// exitError reads the status of a command that ended, nil if it succeeded.
func exitError(text []byte) error {
	var status metav1.Status
	if err := json.Unmarshal(text, &status); err != nil {
		return fmt.Errorf("reading how the command ended: %w", err)
	}
	if status.Status == metav1.StatusSuccess {
		return nil
	}
	return &refused{server: true, words: Line(cmp.Or(status.Message, "the command failed without a reason"))}
}
