package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// rootsPath is where Go looks for certificates first on Linux
// (https://go.dev/src/crypto/x509/root_linux.go).
const rootsPath = "/etc/ssl/certs/ca-certificates.crt"

// roots are the certificates of public authorities in Mozilla's list, from a
// pinned module: those of the machine that builds would make another image on
// each. Authorities that are trusted under a condition are left out, since a file
// of certificates cannot say it.
func roots() ([]byte, error) {
	var text bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		certificate, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return nil, fmt.Errorf("reading a certificate: %w", err)
		}
		fmt.Fprintf(&text, "# %s\n", certificate.Subject)
		if err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}); err != nil {
			return nil, fmt.Errorf("writing a certificate: %w", err)
		}
	}
	if text.Len() == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return text.Bytes(), nil
}
