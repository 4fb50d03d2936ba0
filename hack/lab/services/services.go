// Package services holds no code: its go.mod pins kube-proxy and kube-router, which the lab builds from the module proxy,
// as tools, so that none of their dependencies reaches the lab or the product. kube-router is run for its network policy
// controller alone, of which K3s embeds a fork.
package services
