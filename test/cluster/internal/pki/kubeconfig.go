package pki

import (
	"fmt"
	"os"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// WriteKubeconfig writes a kubeconfig with everything in it. The name is that of its context: what a user sees.
func (a *Authority) WriteKubeconfig(file, name, server, identity string) error {
	ca, err := os.ReadFile(a.CertFile("ca"))
	if err != nil {
		return err
	}
	cert, err := os.ReadFile(a.CertFile(identity))
	if err != nil {
		return err
	}
	key, err := os.ReadFile(a.KeyFile(identity))
	if err != nil {
		return err
	}
	config := api.Config{
		Clusters:       map[string]*api.Cluster{name: {Server: server, CertificateAuthorityData: ca}},
		AuthInfos:      map[string]*api.AuthInfo{name: {ClientCertificateData: cert, ClientKeyData: key}},
		Contexts:       map[string]*api.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}
	if err := clientcmd.WriteToFile(config, file); err != nil {
		return fmt.Errorf("writing kubeconfig %s: %w", file, err)
	}
	return nil
}
