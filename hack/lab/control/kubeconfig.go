package control

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Kubeconfig renders a kubeconfig that holds its credentials itself.
func Kubeconfig(name, server, authority string, pair Pair) (string, error) {
	config := api.NewConfig()
	config.Clusters[name] = &api.Cluster{Server: server, CertificateAuthorityData: []byte(authority)}
	config.AuthInfos[name] = &api.AuthInfo{
		ClientCertificateData: []byte(pair.Certificate),
		ClientKeyData:         []byte(pair.Key),
	}
	config.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	data, err := clientcmd.Write(*config)
	if err != nil {
		return "", fmt.Errorf("rendering a kubeconfig: %w", err)
	}
	return string(data), nil
}
