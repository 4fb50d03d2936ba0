// Package calico holds no code: its go.mod pins Felix and Calico's CNI plugin, which the lab builds from the module
// proxy, as tools, so that none of their dependencies reaches the lab or the product.
package calico
