package command

import (
	"net/url"
	"strings"
)

// identity is how a report names the cluster: what the kubeconfig calls it, and
// where its API server is. Neither holds a secret or the name of a user: kubeadm
// and others put that into the context's name, in whose place stands the cluster's
// then. Both are empty where they are not known, as in a pod.
func (r *root) identity() (context, server string) {
	if config, err := r.config.ToRESTConfig(); err == nil {
		server = addressOf(config.Host)
	}
	raw, err := r.config.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return "", server
	}
	context = raw.CurrentContext
	if *r.config.Context != "" {
		context = *r.config.Context
	}
	about := raw.Contexts[context]
	if about == nil {
		return "", server
	}
	if namesUser(context, about.AuthInfo, about.Cluster) {
		context = about.Cluster
	}
	return bounded(context), server
}

// namesUser reports whether the name of a context holds that of its user. Where
// the user is called as the cluster is, as in K3s, nothing is to be hidden.
func namesUser(context, user, cluster string) bool {
	return strings.ContainsRune(context, '@') || user != "" && user != cluster && strings.Contains(context, user)
}

// addressOf is the scheme, host and port of an API server's URL, without what
// may be a secret in it.
func addressOf(host string) string {
	if !strings.Contains(host, "://") {
		host = "https://" + host
	}
	u, err := url.Parse(host)
	if err != nil || u.Host == "" {
		return ""
	}
	return bounded(u.Scheme + "://" + u.Host)
}

// bounded cuts a name that is longer than any that is meant to be read.
func bounded(name string) string {
	const longest = 253
	return name[:min(len(name), longest)]
}
