package measure

import (
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestRequestsCountsEachOnce(t *testing.T) {
	got, err := requests(strings.NewReader(`{"auditID":"1","stage":"ResponseStarted","verb":"get","objectRef":{"resource":"pods","subresource":"exec"}}
{"auditID":"2","stage":"ResponseComplete","verb":"create","objectRef":{"resource":"jobs"}}
{"auditID":"1","stage":"ResponseComplete","verb":"get","objectRef":{"resource":"pods","subresource":"exec"}}
{"auditID":"3","stage":"ResponseComplete","verb":"create","objectRef":{"resource":"jobs"}}
{"auditID":"4","stage":"ResponseComplete","verb":"get","requestURI":"/version"}
`))
	if want := map[string]int{"get pods/exec": 1, "create jobs": 2, "get /version": 1}; err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := requests(strings.NewReader("{")); err == nil {
		t.Errorf("half a line gives %v", got)
	}
}

func TestGuardEndsWhatGrows(t *testing.T) {
	for _, test := range []struct {
		memory int64
		life   time.Duration
		ended  bool
	}{{1, time.Hour, true}, {1 << 40, time.Millisecond, true}, {1 << 40, time.Hour, false}} {
		command := exec.Command("sleep", "0.3")
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		over, said := make(chan struct{}), make(chan string, 1)
		go func() { said <- guard(command.Process, test.memory, test.life, over) }()
		err := command.Wait()
		close(over)
		if got := <-said; (got != "") != test.ended || (err != nil) != test.ended {
			t.Errorf("%+v: %q, %v", test, got, err)
		}
		if !test.ended && maxResident(command.ProcessState) == 0 {
			t.Error("sleep had no memory")
		}
	}
}

func TestProcessorTimesGrow(t *testing.T) {
	pids := map[string]int{"self": os.Getpid()}
	before, err := processorTimes(pids)
	if err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < 200*time.Millisecond; {
	}
	after, err := processorTimes(pids)
	if used := after["self"] - before["self"]; err != nil || used <= 0 || used > time.Minute {
		t.Errorf("200 ms of work took %s of the processor, %v", used, err)
	}
	if _, err := processorTimes(map[string]int{"none": 1 << 30}); err == nil {
		t.Error("a process that is none has a processor time")
	}
}

func TestWriteScale(t *testing.T) {
	good := Scale{Nodes: 100, Verdict: "PASS", Wall: 9 * time.Second, Peak: 50e6, Requests: map[string]int{"create jobs": 200},
		Phases: []Phase{{Name: "placing", Took: time.Second}, {Name: "reading", Step: true, Took: time.Second / 2}}, CPU: map[string]time.Duration{"plugin": time.Second}}
	bad := Scale{Nodes: 1000, Exit: -1, Wall: 61 * time.Second, Peak: 401e6, Requests: map[string]int{"create jobs": 9000},
		CPU: map[string]time.Duration{"plugin": time.Minute}, Left: []string{"3 Jobs"}, Stopped: "ended by the rig at 401 MB"}
	var out strings.Builder
	if err := WriteScale(&out, []Scale{good, bad}); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.FieldsFunc(out.String(), func(r rune) bool { return r == ' ' }), " ")
	for _, want := range []string{
		"nodes 100 1000\n", "verdict PASS none\n", " reading 0.50 0.00\n", " create jobs 2.00 9.00\n",
		"1000 nodes: ended by the rig at 401 MB\n1000 nodes: target missed: wall 61.00 s, want 60\n1000 nodes: target missed: peak memory 401 MB, want 400\n" +
			"1000 nodes: target missed: 9.00 requests per node, want 8\n1000 nodes: left: 3 Jobs\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(out.String(), "\n100 nodes:") {
		t.Errorf("a run that misses nothing is named in\n%s", out.String())
	}
}
