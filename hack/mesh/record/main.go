// Command record writes the recording of a healthy mesh, for `kubectl wg replay -`.
//
//	go run ./hack/mesh/record -nodes 300 > mesh.ndjson
package main

import (
	"bufio"
	"flag"
	"log"
	"os"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func main() {
	nodes := flag.Int("nodes", 100, "how many")
	unpacked := flag.Bool("unpacked", false, "a message for each peer, as earlier probes make")
	flag.Parse()
	out := bufio.NewWriter(os.Stdout)
	m := mesh.New(*nodes)
	m.Unpacked = *unpacked
	for _, stream := range m.Streams() {
		for _, message := range m.Messages(stream) {
			line, err := evidence.Encode(message)
			if err != nil {
				log.Fatal(err)
			}
			if _, err := out.Write(line); err != nil {
				log.Fatal(err)
			}
		}
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}
