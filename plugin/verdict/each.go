package verdict

// EachPair calls do for the pairs of the run whose sender is wanted, one after
// the other, until it returns false. The case must be resolved.
func (c *Case) EachPair(wanted func(f *Focus, from *Node) bool, do func(*Focus) bool) {
	f := &Focus{Case: c}
	for _, family := range c.Run.Families {
		f.Family = family
		for _, from := range c.Nodes {
			if !wanted(f, from) {
				continue
			}
			for _, to := range c.Nodes {
				if from == to || !c.Asked.Has(from.at, to.at) {
					continue
				}
				if f.onPair(from, to, family); !do(f) {
					return
				}
			}
		}
	}
}
