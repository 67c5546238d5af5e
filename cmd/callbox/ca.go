package main

import (
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// caCmd prints the certificate of the box's own CA.
type caCmd struct {
	dataDir
	Fingerprint bool `help:"Print the certificate's SHA-256 fingerprint instead, to compare it with one that came over the network."`
}

// Run prints the certificate. It needs no running gateway.
func (c *caCmd) Run() error {
	path := filepath.Join(c.Data, caFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no %s; the first start of callbox serve makes it", path)
	}
	if err != nil {
		return err
	}
	if !c.Fingerprint {
		_, err = os.Stdout.Write(text)
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return fmt.Errorf("%s holds no certificate; the next start of callbox serve makes it anew", path)
	}
	fmt.Println(certFingerprint(block.Bytes))
	return nil
}

// certFingerprint is the SHA-256 of a certificate as programs show it: "A1:B2:…".
func certFingerprint(der []byte) string {
	return strings.ReplaceAll(strings.TrimSuffix(fmt.Sprintf("% X ", sha256.Sum256(der)), " "), " ", ":")
}
