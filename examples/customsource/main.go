// Command customsource runs the full server with a source of its own: certificates that are about
// to expire become alerts, without a metrics system in between.
//
//	go run ./examples/customsource --config.file=examples/quickstart/alertmanager.yml
package main

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/cmd/server"
)

// certs are addresses of TLS servers.
type certs []string

// Alerts says which certificates expire within three days. Of a server that does not answer nothing
// is known: an alert that it had stays as it was.
func (c certs) Alerts(ctx context.Context) (alarm.Snapshot, error) {
	var s alarm.Snapshot
	for _, host := range c {
		labels := model.LabelSet{"alertname": "CertExpires", "instance": model.LabelValue(host), "severity": "warning"}
		expires, err := expiry(ctx, host)
		if err != nil {
			s.Unknown(labels)
		} else if left := time.Until(expires); left < 72*time.Hour {
			a := s.Firing(labels)
			a.Annotations = model.LabelSet{"summary": model.LabelValue("expires at " + expires.Format(time.RFC3339))}
		}
	}
	return s, nil
}

func expiry(ctx context.Context, host string) (time.Time, error) {
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: &tls.Config{InsecureSkipVerify: true}}
	conn, err := d.DialContext(ctx, "tcp", host)
	if err != nil {
		return time.Time{}, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].NotAfter, nil
}

func main() {
	hosts := certs(strings.Split(os.Getenv("CERT_HOSTS"), ","))
	os.Exit(server.Main(os.Args, server.WithSource("certs", hosts)))
}
