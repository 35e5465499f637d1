package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cmd/server"
)

// The source runs inside the full server: a certificate that expires is an alert of API v2, and a
// server that does not answer is unknown, which is no alert.
func TestInTheFullServer(t *testing.T) {
	soon := serverThatExpires(t, time.Now().Add(24*time.Hour))
	later := serverThatExpires(t, time.Now().Add(1000*time.Hour))
	gone := httptest.NewTLSServer(http.NotFoundHandler())
	gone.Close()
	hosts := certs{soon, later, strings.TrimPrefix(gone.URL, "https://")}

	dir := t.TempDir()
	file := filepath.Join(dir, "alertmanager.yml")
	require.NoError(t, os.WriteFile(file, []byte("route: {receiver: r}\nreceivers: [{name: r}]\n"), 0o600))
	logs, stderr := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- server.Run(ctx, []string{"--config.file", file, "--storage.path", dir, "--web.listen-address", "127.0.0.1:0"},
			io.Discard, stderr, server.WithSource("certs", hosts))
		stderr.Close()
	}()
	address := listening(t, logs)
	require.Eventually(t, func() bool {
		alerts := get(t, "http://"+address+"/api/v2/alerts")
		return len(alerts) == 1 && alerts[0].Labels["instance"] == hosts[0] && alerts[0].Labels["alertname"] == "CertExpires"
	}, time.Minute, 50*time.Millisecond)
	stop()
	assert.Equal(t, 0, <-ended)
}

// serverThatExpires returns the address of a TLS server whose certificate ends at a time.
func serverThatExpires(t *testing.T, end time.Time) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "https://")
}

func listening(t *testing.T, logs io.Reader) string {
	t.Helper()
	lines := bufio.NewScanner(logs)
	for lines.Scan() {
		if m := regexp.MustCompile(`Listening on.*address=(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, logs) }()
			return m[1]
		}
		t.Log(lines.Text())
	}
	t.Fatal("the server ended")
	return ""
}

type alert struct{ Labels map[string]string }

func get(t *testing.T, url string) []alert {
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	var alerts []alert
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&alerts))
	return alerts
}
