package cluster

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/client-go/rest"
)

// execServer is an API server that knows one thing: to execute what command
// does with the connection. Requests that are no WebSocket get status.
type execServer struct {
	protocols []string
	status    int
	command   func(*websocket.Conn)
	requests  atomic.Int32
	resumed   atomic.Int32
}

func (s *execServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	if r.TLS.DidResume {
		s.resumed.Add(1)
	}
	if r.Header.Get("Authorization") != "Bearer token" || !strings.HasSuffix(r.URL.Path, "/namespaces/there/pods/that/exec") {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if s.status != 0 || !websocket.IsWebSocketUpgrade(r) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(max(s.status, http.StatusBadRequest))
		io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","message":"`+r.Method+`: no such pod"}`)
		return
	}
	upgrader := websocket.Upgrader{Subprotocols: s.protocols}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	s.command(conn)
}

func (s *execServer) client(t *testing.T) *remote {
	t.Helper()
	server := httptest.NewTLSServer(s)
	t.Cleanup(server.Close)
	client, err := Connect(&rest.Config{
		Host: server.URL, BearerToken: "token",
		TLSClientConfig: rest.TLSClientConfig{CAData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})},
	}, "kubectl-wg/test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return client.exec.(*remote)
}

func tell(conn *websocket.Conn, stream byte, text string) {
	conn.WriteMessage(websocket.BinaryMessage, append([]byte{stream}, text...))
}

// echo writes what it reads, in messages of its own size, and succeeds.
func echo(conn *websocket.Conn) {
	var said []byte
	for {
		_, message, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if message[0] == remotecommand.StreamClose {
			break
		}
		said = append(said, message[1:]...)
	}
	tell(conn, remotecommand.StreamStdErr, "last words")
	tell(conn, 77, "of a stream that nobody knows")
	tell(conn, remotecommand.StreamStdOut, string(said[:len(said)/3]))
	tell(conn, remotecommand.StreamStdOut, "")
	tell(conn, remotecommand.StreamStdOut, string(said[len(said)/3:]))
	tell(conn, remotecommand.StreamErr, `{"status":"Success"}`)
}

func TestExec(t *testing.T) {
	v5 := []string{remotecommand.StreamProtocolV5Name}
	in := strings.Repeat("what the agent is asked, and ", 3000)
	for name, test := range map[string]struct {
		server *execServer
		want   string // of the error
	}{
		"echo": {&execServer{protocols: v5, command: echo}, ""},
		"fails": {&execServer{protocols: v5, command: func(conn *websocket.Conn) {
			tell(conn, remotecommand.StreamErr, `{"status":"Failure","message":"exit code 137"}`)
		}}, "exit code 137"},
		"ends in two messages": {&execServer{protocols: v5, command: func(conn *websocket.Conn) {
			tell(conn, remotecommand.StreamErr, `{"status":"Failure",`)
			tell(conn, remotecommand.StreamErr, `"message":"killed"}`)
		}}, "killed"},
		"no reason":   {&execServer{protocols: v5, command: func(conn *websocket.Conn) { tell(conn, remotecommand.StreamErr, `{}`) }}, "without a reason"},
		"nonsense":    {&execServer{protocols: v5, command: func(conn *websocket.Conn) { tell(conn, remotecommand.StreamErr, `gone`) }}, "how the command ended"},
		"cut":         {&execServer{protocols: v5, command: func(*websocket.Conn) {}}, "ended before the command"},
		"no stream":   {&execServer{protocols: v5, command: func(conn *websocket.Conn) { conn.WriteMessage(websocket.BinaryMessage, nil) }}, "reading the connection"},
		"refused":     {&execServer{status: http.StatusNotFound}, "POST: no such pod"},
		"no protocol": {&execServer{command: func(*websocket.Conn) {}}, "POST: no such pod"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			err := test.server.client(t).Exec(t.Context(), "there", "that", agent, strings.NewReader(in), &stdout, &stderr)
			switch {
			case test.want != "":
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("err = %v", err)
				}
			case err != nil || stdout.String() != in || stderr.String() != "last words":
				t.Errorf("err = %v; %d of %d bytes came back; stderr %q", err, stdout.Len(), len(in), stderr.String())
			}
		})
	}
}

func TestExecEndsWithItsContext(t *testing.T) {
	server := &execServer{protocols: []string{remotecommand.StreamProtocolV5Name}, command: func(conn *websocket.Conn) { conn.ReadMessage() }}
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(errors.New("enough")) })
	stdin, input := io.Pipe()
	defer input.Close()
	if err := server.client(t).Exec(ctx, "there", "that", agent, stdin, io.Discard, io.Discard); err == nil || err.Error() != "enough" {
		t.Errorf("err = %v", err)
	}
}

// A server that answers pings may say nothing else for as long as it likes;
// one that does not answer them is gone.
func TestExecNoticesSilence(t *testing.T) {
	for name, alive := range map[string]bool{"alive": true, "gone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &execServer{protocols: []string{remotecommand.StreamProtocolV5Name}, command: func(conn *websocket.Conn) {
				if !alive {
					conn.SetPingHandler(func(string) error { return nil })
				}
				time.AfterFunc(time.Second, func() { tell(conn, remotecommand.StreamErr, `{"status":"Success"}`); conn.Close() })
				conn.ReadMessage()
			}}
			client := server.client(t)
			client.sockets.period, client.sockets.patience = 50*time.Millisecond, 300*time.Millisecond
			stdin, input := io.Pipe()
			defer input.Close()
			err := client.Exec(t.Context(), "there", "that", agent, stdin, io.Discard, io.Discard)
			if (err == nil) != alive {
				t.Errorf("err = %v", err)
			}
		})
	}
}

func TestExecResumes(t *testing.T) {
	server := &execServer{protocols: []string{remotecommand.StreamProtocolV5Name}, command: echo}
	client := server.client(t)
	for range 3 {
		if err := client.Exec(t.Context(), "there", "that", agent, strings.NewReader("x"), io.Discard, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	if requests, resumed := server.requests.Load(), server.resumed.Load(); requests != 3 || resumed != 2 {
		t.Errorf("%d requests, %d on resumed TLS sessions", requests, resumed)
	}
}
