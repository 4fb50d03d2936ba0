package cluster

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/client-go/rest"
)

// v5 is the protocol that can close stdin.
var v5 = []string{remotecommand.StreamProtocolV5Name}

// execServer is an API server that only serves exec requests: command is what
// happens on the connection. Requests other than for a WebSocket get status.
type execServer struct {
	protocols []string
	status    int
	says      string // the message of an answer that is not a session; without, it names the method
	command   func(*websocket.Conn)
	requests  atomic.Int32
	resumed   atomic.Int32
}

func (s *execServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	if r.TLS.DidResume {
		s.resumed.Add(1)
	}
	path := "/namespaces/there/pods/that/exec"
	if r.Header.Get("Authorization") != "Bearer token" || !strings.HasSuffix(r.URL.Path, path) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if s.status != 0 || !websocket.IsWebSocketUpgrade(r) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(max(s.status, http.StatusBadRequest))
		json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
			Status:   metav1.StatusFailure, Reason: metav1.StatusReasonNotFound, Message: cmp.Or(s.says,
				r.Method+": no such pod"),
		})
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
		Host: server.URL, BearerToken: "token", TLSClientConfig: rest.TLSClientConfig{CAData: certificateOf(server)},
	}, "kubectl-wg/test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return client.exec.(*remote)
}

func certificateOf(server *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

// run executes a command without reading what it writes.
func run(ctx context.Context, client *remote, stdin io.Reader) error {
	return client.Exec(ctx, "there", "that", agent, stdin, io.Discard, io.Discard)
}

func send(conn *websocket.Conn, stream byte, text string) {
	conn.WriteMessage(websocket.BinaryMessage, append([]byte{stream}, text...))
}

// ends is a command that ends at once, with a status in as many messages.
func ends(status ...string) func(*websocket.Conn) {
	return func(conn *websocket.Conn) {
		for _, part := range status {
			send(conn, remotecommand.StreamErr, part)
		}
	}
}

// echo writes what it reads until stdin is closed, in messages of other sizes,
// and succeeds.
func echo(conn *websocket.Conn) {
	var read []byte
	for {
		_, message, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if message[0] == remotecommand.StreamClose {
			break
		}
		read = append(read, message[1:]...)
	}
	send(conn, remotecommand.StreamStdErr, "last words")
	send(conn, 77, "of an unknown stream")
	send(conn, remotecommand.StreamStdOut, string(read[:len(read)/3]))
	send(conn, remotecommand.StreamStdOut, "")
	send(conn, remotecommand.StreamStdOut, string(read[len(read)/3:]))
	ends(`{"status":"Success"}`)(conn)
}

func TestExec(t *testing.T) {
	in := strings.Repeat("what the agent is asked, and ", 3000)
	noStream := func(conn *websocket.Conn) { conn.WriteMessage(websocket.BinaryMessage, nil) }
	for name, test := range map[string]struct {
		server *execServer
		want   string // of the error
	}{
		"echo":         {&execServer{protocols: v5, command: echo}, ""},
		"fails":        {&execServer{protocols: v5, command: ends(`{"message":"exit code 137"}`)}, "exit code 137"},
		"two messages": {&execServer{protocols: v5, command: ends(`{"message":`, `"killed"}`)}, "killed"},
		"no reason":    {&execServer{protocols: v5, command: ends(`{}`)}, "without a reason"},
		"nonsense":     {&execServer{protocols: v5, command: ends(`gone`)}, "how the command ended"},
		"cut":          {&execServer{protocols: v5, command: ends()}, "ended before the command"},
		"no stream":    {&execServer{protocols: v5, command: noStream}, "reading the connection"},
		"refused":      {&execServer{status: http.StatusNotFound}, "POST: no such pod"},
		"no protocol":  {&execServer{command: ends()}, "POST: no such pod"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			client := test.server.client(t)
			err := client.Exec(t.Context(), "there", "that", agent, strings.NewReader(in), &stdout, &stderr)
			switch {
			case test.want != "":
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("err = %v", err)
				}
			case err != nil || stdout.String() != in || stderr.String() != "last words":
				t.Errorf("err = %v; stdout has %d of %d bytes; stderr %q", err, stdout.Len(), len(in), stderr.String())
			}
		})
	}
}

func TestExecEndsWithItsContext(t *testing.T) {
	server := &execServer{protocols: v5, command: func(conn *websocket.Conn) { conn.ReadMessage() }}
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(errors.New("enough")) })
	stdin, input := io.Pipe()
	defer input.Close()
	if err := run(ctx, server.client(t), stdin); err == nil || err.Error() != "enough" {
		t.Errorf("err = %v", err)
	}
}

// A server that answers pings need not send anything else; a server that does
// not answer them is gone.
func TestExecNoticesSilence(t *testing.T) {
	for name, alive := range map[string]bool{"alive": true, "gone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &execServer{protocols: v5, command: func(conn *websocket.Conn) {
				if !alive {
					conn.SetPingHandler(func(string) error { return nil })
				}
				time.AfterFunc(time.Second, func() {
					ends(`{"status":"Success"}`)(conn)
					conn.Close()
				})
				conn.ReadMessage()
			}}
			client := server.client(t)
			client.sockets.period = 50 * time.Millisecond
			client.sockets.patience = 300 * time.Millisecond
			stdin, input := io.Pipe()
			defer input.Close()
			err := run(t.Context(), client, stdin)
			if (err == nil) != alive {
				t.Errorf("err = %v", err)
			}
		})
	}
}

func TestExecResumes(t *testing.T) {
	server := &execServer{protocols: v5, command: echo}
	client := server.client(t)
	for range 3 {
		if err := run(t.Context(), client, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	if requests, resumed := server.requests.Load(), server.resumed.Load(); requests != 3 || resumed != 2 {
		t.Errorf("%d requests, %d on resumed TLS sessions", requests, resumed)
	}
}
