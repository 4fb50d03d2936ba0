// Package runtime holds no code: its go.mod pins the container runtime and the CNI plugins that the lab builds from the
// module proxy, as tools, so that none of their dependencies reaches the lab or the product.
package runtime
