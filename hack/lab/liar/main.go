// Command liar is a probe that cannot be trusted: it runs the real one and changes what it says, in the way that the file
// /liar names. It stands in the place of /wg-probe in an image of its own.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

const realProbe = "/real-probe"

func main() {
	if len(os.Args) < 2 || os.Args[1] != "agent" {
		err := syscall.Exec(realProbe, append([]string{realProbe}, os.Args[1:]...), os.Environ())
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	mode, err := os.ReadFile("/liar")
	if err == nil {
		err = lie(strings.TrimSpace(string(mode)))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// lie runs the real agent and passes on what it says, changed.
func lie(mode string) error {
	if mode == "hangs" {
		_, _ = io.Copy(io.Discard, os.Stdin) // hears everything, and says nothing
		time.Sleep(time.Hour)
	}
	agent := exec.Command(realProbe, "agent")
	agent.Stdin, agent.Stderr = os.Stdin, os.Stderr
	said, err := agent.StdoutPipe()
	if err != nil {
		return err
	}
	if err := agent.Start(); err != nil {
		return err
	}
	s := speaker{mode: mode, out: bufio.NewWriter(os.Stdout)}
	reader := bufio.NewReader(said)
	for {
		line, err := reader.ReadBytes('\n')
		if len(line) > 0 {
			if over := s.pass(line); over {
				break
			}
		}
		if err != nil {
			break
		}
	}
	return agent.Wait()
}

// speaker renumbers what it passes on, so that nothing seems to be missing.
type speaker struct {
	mode string
	out  *bufio.Writer
	seq  int
}

type message = map[string]json.RawMessage

// unseen are the kinds that a probe without captures would not send.
var unseen = []string{"capture", "witness", "sighting", "tunnel", "tunnels", "control", "controls"}

func (s *speaker) pass(line []byte) (over bool) {
	defer s.out.Flush()
	var m message
	if json.Unmarshal(line, &m) != nil {
		return false
	}
	has := func(kinds ...string) bool {
		return slices.ContainsFunc(kinds, func(kind string) bool { return m[kind] != nil })
	}
	switch {
	case s.mode == "hides" && has("sighting"), s.mode == "blind" && has(unseen...):
		return false
	case s.mode == "truncates" && has("canary", "canaries", "capture"):
		s.out.Flush()
		os.Exit(0)
	case s.mode == "escapes" && has("bye"):
		s.say(message{"link": json.RawMessage(
			`{"index":99,"name":"eth9\u001b[2J\u001b]0;owned\u0007<script>","kind":"","mtu":1500,"up":true,"role":"outside","why":"\u001b[31mPASS\u202e"}`)})
	case s.mode == "floods" && has("hello"):
		s.say(m)
		s.flood()
	}
	s.say(m)
	return has("bye")
}

func (s *speaker) say(m message) {
	if m["seq"] != nil || m["link"] != nil {
		s.seq++
		m["seq"] = json.RawMessage(fmt.Sprint(s.seq))
	}
	if m["bye"] != nil {
		m["bye"] = json.RawMessage(fmt.Sprintf(`{"messages":%d}`, s.seq))
	}
	line, err := json.Marshal(m)
	if err != nil {
		return
	}
	_, _ = s.out.Write(append(line, '\n')) // a listener that has gone ends the agent
}

// flood says a gigabyte.
func (s *speaker) flood() {
	text := strings.Repeat("x", 4000)
	for said := 0; said < 1<<30; said += len(text) {
		s.say(message{"seq": nil, "problem": json.RawMessage(fmt.Sprintf(`{"class":"internal","what":"device","text":%q}`, text))})
		if s.seq == 0 {
			return
		}
	}
}
