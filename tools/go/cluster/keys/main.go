// Makes the key that signs the tokens of service accounts: sa.key and sa.pub in a folder.
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"log"
	"os"
	"path/filepath"
)

func main() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		log.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		log.Fatal(err)
	}
	write("sa.key", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	write("sa.pub", "PUBLIC KEY", public)
}

func write(name, kind string, bytes []byte) {
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes})
	if err := os.WriteFile(filepath.Join(os.Args[1], name), text, 0o600); err != nil {
		log.Fatal(err)
	}
}
