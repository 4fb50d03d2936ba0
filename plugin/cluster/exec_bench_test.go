package cluster

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
	"k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/client-go/rest"
	clientremote "k8s.io/client-go/tools/remotecommand"
)

var openSessions = flag.Int("sessions", 300, "how many sessions BenchmarkSessions has open at a time")

// serverProcess is the environment variable that makes this test binary the
// server of BenchmarkSessions, whose memory is not to be measured.
const serverProcess = "BENCHMARK_SERVER"

// talk answers each message with eight of 2 KB, as a probe that is asked for
// its state, and succeeds at the end of its input.
func talk(conn *websocket.Conn) {
	answer := strings.Repeat("x", 2<<10)
	for {
		_, message, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if message[0] == remotecommand.StreamClose {
			ends(`{"status":"Success"}`)(conn)
			conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
			return
		}
		for range 8 {
			send(conn, remotecommand.StreamStdOut, answer)
		}
	}
}

func TestServerProcess(t *testing.T) {
	if os.Getenv(serverProcess) == "" {
		t.Skip("needs BenchmarkSessions to start it")
	}
	server := httptest.NewTLSServer(&execServer{protocols: v5, command: talk})
	defer server.Close()
	os.Stdout.Write(certificateOf(server))
	fmt.Println(server.URL)
	io.Copy(io.Discard, os.Stdin)
}

// startServer returns the configuration for a server in another process.
func startServer(b *testing.B) *rest.Config {
	b.Helper()
	command := exec.Command(os.Args[0], "-test.run=^TestServerProcess$")
	command.Env = append(os.Environ(), serverProcess+"=1")
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stdin.Close()
		command.Wait()
	})
	var certificate strings.Builder
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "https://") {
			return &rest.Config{
				Host: lines.Text(), BearerToken: "token",
				TLSClientConfig: rest.TLSClientConfig{CAData: []byte(certificate.String())},
			}
		}
		certificate.WriteString(lines.Text() + "\n")
	}
	b.Fatal("the server did not start")
	return nil
}

// clientGo is client-go's executor, to compare with.
type clientGo struct{ *remote }

func (r clientGo) Exec(
	ctx context.Context, namespace, pod string, _ []string, stdin io.Reader, stdout, stderr io.Writer,
) error {
	url := r.pods.Post().Namespace(namespace).Resource("pods").Name(pod).SubResource("exec").URL()
	executor, err := clientremote.NewWebSocketExecutor(r.config, http.MethodGet, url.String())
	if err != nil {
		return err
	}
	return executor.StreamWithContext(ctx, clientremote.StreamOptions{Stdin: stdin, Stdout: stdout, Stderr: stderr})
}

// BenchmarkSessions compares what open sessions take in the plugin with what
// they would take with client-go's executor. Its figures stand at type sockets.
//
//	this process: N sessions ──TLS, WebSocket──▶ another process: server
func BenchmarkSessions(b *testing.B) {
	config := startServer(b)
	client, err := Connect(config, "kubectl-wg/test", slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	own := client.exec.(*remote)
	for name, executor := range map[string]Executor{"own": own, "client-go": clientGo{own}} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				measureSessions(b, executor)
			}
		})
	}
}

// measureSessions opens sessions, lets each ask for 16 KB, reports what they
// take while they are idle, and ends them by the end of their input.
func measureSessions(b *testing.B, executor Executor) {
	before := memory()
	goroutines := runtime.NumGoroutine()
	inputs := make([]*io.PipeWriter, *openSessions)
	limit := make(chan bool, parallel)
	var opening, ending sync.WaitGroup
	for i := range inputs {
		stdin, input := io.Pipe()
		stdout, output := io.Pipe()
		inputs[i] = input
		limit <- true
		ending.Go(func() {
			err := executor.Exec(b.Context(), "there", "that", agent, stdin, output, &tail{})
			output.CloseWithError(err)
			if err != nil {
				b.Error(err)
			}
		})
		opening.Go(func() {
			input.Write(make([]byte, 200))
			if _, err := io.ReadFull(stdout, make([]byte, 16<<10)); err != nil {
				b.Error(err)
			}
			<-limit
			ending.Go(func() { io.Copy(io.Discard, stdout) })
		})
	}
	opening.Wait()
	after := memory()
	report := func(what string, n uint64) { b.ReportMetric(float64(n)/float64(len(inputs)), what+"/session") }
	// Two goroutines of each session are this test's: one runs Exec, one reads.
	report("goroutines", uint64(runtime.NumGoroutine()-goroutines-2*len(inputs)))
	report("heap-B", after.HeapAlloc-before.HeapAlloc)
	report("stack-B", after.StackInuse-before.StackInuse)
	report("allocs", after.Mallocs-before.Mallocs)
	report("allocated-B", after.TotalAlloc-before.TotalAlloc)
	for _, input := range inputs {
		input.Close()
	}
	ending.Wait()
}

func memory() runtime.MemStats {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools hold goes with the second
	runtime.ReadMemStats(&stats)
	return stats
}
