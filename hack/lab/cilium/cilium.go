// Package cilium holds no code: its go.mod pins the agent of Cilium that the lab builds from the module proxy, as tools,
// so that none of its dependencies reaches the lab or the product.
package cilium
