package server

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
)

// externalURL is where links lead to us: what was asked for, or else what can be told from the host
// and the port that we listen on. Its path has a slash in front and none behind.
func externalURL(asked, listening string) (*url.URL, error) {
	if asked == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("external URL: %w", err)
		}
		_, port, err := net.SplitHostPort(listening)
		if err != nil {
			return nil, fmt.Errorf("external URL: %w", err)
		}
		asked = "http://" + net.JoinHostPort(host, port) + "/"
	}
	u, err := url.Parse(asked)
	if err != nil {
		return nil, fmt.Errorf("--web.external-url: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("--web.external-url: %q: only http and https can be linked to", asked)
	}
	u.Path = prefix(u.Path)
	return u, nil
}

// prefix returns a path with a slash in front and none behind; the root is empty.
func prefix(path string) string {
	trimmed := strings.Trim(path, "/")
	if trimmed == "" {
		return ""
	}
	return "/" + trimmed
}
