package verdict

// unexplained counts the edges whose proof is incomplete though no check failed,
// or is inconclusive, for them, their nodes or the cluster: a step that nothing
// could judge.
func (j *judging) unexplained() (count int) {
	for _, on := range j.unprovenEdges() {
		if !j.deviates(on) {
			count++
		}
	}
	return count
}

// deviates reports whether any check is not fine with an edge, its nodes or the cluster.
func (j *judging) deviates(on subject) bool {
	for i := range j.checks {
		k := &j.checks[i]
		if k.worst < Inconclusive {
			continue
		}
		if k.Edge != nil {
			if j.status(k, on) >= Inconclusive {
				return true
			}
			continue
		}
		for _, node := range []int{on.from, on.to} {
			if j.status(k, j.ofNode(k, node, on.family)) >= Inconclusive {
				return true
			}
		}
	}
	return false
}
