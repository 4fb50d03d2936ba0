package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// hostile makes a recording of two nodes, and of some size in bytes, in which
// the probe on the first repeats one message, with a few other numbers each time.
func hostile(t testing.TB, size int, message func(i int) string) *recording.Recording {
	t.Helper()
	var lines bytes.Buffer
	say := func(stream string, seq int, body string) {
		fmt.Fprintf(&lines, "{\"stream\":%q,\"seq\":%d,%s}\n", stream, seq, body)
	}
	say("plugin", 1, `"hello":{"schema":"wg.evidence/v1","role":"plugin"}`)
	say("plugin", 2, `"node":{"index":0,"name":"a","ready":true}`)
	say("plugin", 3, `"node":{"index":1,"name":"b","ready":true}`)
	say("plugin", 4, `"run":{"id":"x","families":[4],"pairs":"all"}`)
	say("plugin", 5, `"bye":{"messages":5}`)
	say("probe/a", 1, `"hello":{"schema":"wg.evidence/v1","role":"probe","node":"a"}`)
	seq := 2
	for ; lines.Len() < size; seq++ {
		say("probe/a", seq, message(seq))
	}
	say("probe/a", seq, fmt.Sprintf(`"bye":{"messages":%d}`, seq))
	said, err := recording.Read(&lines)
	if err != nil {
		t.Fatal(err)
	}
	return said
}

// columnsOf are messages in which few bytes stand for much.
var columnsOf = map[string]func(i int) string{
	"witnesses": func(i int) string {
		one := `{"sources":"0-31","targets":"0-31","udp":1},`
		return fmt.Sprintf(`"witness":{"link":"l%d","direction":"tx","family":4,"alike":[%s{"sources":"0","targets":"1"}]}`, i, strings.Repeat(one, 170))
	},
	"witnesses of its own": func(i int) string {
		one := `{"sources":"0","targets":"0-1023","udp":1},`
		return fmt.Sprintf(`"witness":{"link":"l%d","direction":"tx","family":4,"alike":[%s{"sources":"0","targets":"1"}]}`, i, strings.Repeat(one, 170))
	},
	"controls": func(i int) string { return `"controls":{"peers":"0-1023","sent":1}` },
	"canaries": func(i int) string {
		return `"canaries":{"peers":"0-999","family":4,"rows":[` +
			strings.Repeat(`{"transport":"udp","size":1,"sent":1},`, 130) +
			`{"transport":"udp"}],"rtts":[` + strings.Repeat("1,", 999) + `1]}`
	},
	"allowed IPs": func(i int) string {
		one := fmt.Sprintf(`"10.%d.0.0/16",`, i%256)
		return `"peer":{"device":"wg0","publicKey":"k","allowedIPs":[` + strings.Repeat(one, 500) + `"10.0.0.0/8"]}`
	},
	"devices": func(i int) string { return fmt.Sprintf(`"device":{"name":"wg%d","publicKey":"k%d","port":1}`, i, i) },
	"links": func(i int) string {
		return fmt.Sprintf(`"link":{"index":%d,"name":"l%d","kind":"veth","role":"outside","up":true}`, i, i)
	},
}

// A node cannot keep the judge busy: evidence in which few bytes stand for much
// is judged or refused at once, and proves nothing.
func TestHostileEvidenceIsJudgedAtOnce(t *testing.T) {
	const size = 1400 << 10
	for name, message := range columnsOf {
		t.Run(name, func(t *testing.T) {
			said := hostile(t, size, message)
			began := time.Now()
			judgement, err := JudgeWithin(t.Context(), said)
			if err != nil || judgement.Verdict == verdict.Passed {
				t.Errorf("%v, %v", judgement, err)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// Whoever waits for a verdict may stop waiting, at any moment.
func TestJudgingEndsWithItsContext(t *testing.T) {
	said := hostile(t, 8<<20, columnsOf["witnesses"])
	stop := errors.New("interrupted")
	for _, after := range []time.Duration{0, 5 * time.Millisecond, 50 * time.Millisecond} {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(after, func() { cancel(stop) })
		began := time.Now()
		_, err := JudgeWithin(ctx, said)
		if took := time.Since(began); took > after+time.Second {
			t.Errorf("after %s it took %s", after, took)
		}
		if err != nil && !errors.Is(err, stop) {
			t.Error(err)
		}
		cancel(nil)
	}
}
