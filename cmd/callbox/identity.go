package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"callbox/storage"
	"callbox/storage/config"
)

// Names of what the store keeps for the device's identity.
const (
	caBlob = "device-ca" // certificate and key, PEM
	caFile = "ca.pem"    // the certificate alone, for people to copy
)

// hexID is prefix and n random bytes in hex.
func hexID(prefix string, n int) string {
	b := make([]byte, n)
	rand.Read(b) // crypto/rand never fails, it ends the process instead
	return prefix + hex.EncodeToString(b)
}

// firstAccount makes the account of a new box. The token is plain hex, because
// twilio-go refuses credentials with any other character.
func firstAccount() config.Account {
	return config.Account{ID: hexID("AC", 16), Name: "box", Token: config.Secret(hexID("", 16))}
}

// deviceCA gives the box's own certificate authority, made at the first boot,
// and leaves its certificate as a file in the data folder.
func deviceCA(ctx context.Context, s *storage.Store, dir string, now time.Time) (*tls.Certificate, error) {
	blob, err := s.Blob(caBlob)
	if err != nil && !errors.Is(err, storage.ErrNoBlob) {
		return nil, fmt.Errorf("read the device CA: %w", err)
	}
	if err != nil {
		if blob, err = newCA(now); err != nil {
			return nil, fmt.Errorf("make the device CA: %w", err)
		}
		if err := s.PutBlob(ctx, caBlob, blob); err != nil {
			return nil, fmt.Errorf("keep the device CA: %w", err)
		}
	}
	ca, err := tls.X509KeyPair(blob, blob)
	if err != nil {
		return nil, fmt.Errorf("read the device CA: %w", err)
	}
	path, text := filepath.Join(dir, caFile), caText(&ca)
	if old, err := os.ReadFile(path); err != nil || !bytes.Equal(old, text) {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return nil, fmt.Errorf("write the device CA: %w", err)
		}
	}
	return &ca, nil
}

// caText is the certificate of the CA in PEM, without its key.
func caText(ca *tls.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate[0]})
}
