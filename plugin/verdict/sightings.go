package verdict

import "github.com/kubectl-wg/kubectl-wg/probe/evidence"

// Sightings returns what the node's captures saw in clear.
func (n *Node) Sightings() []*evidence.Sighting { return n.sightings }
