package server

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	commonconfig "github.com/prometheus/common/config"

	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/cmd/internal/config"
)

// A client talks to a server, which it finds as amtool does: by --alertmanager.url, else by
// amtool's configuration file.
type client struct {
	base    string
	file    string // of Prometheus's HTTP client configuration
	http    *http.Client
	timeout time.Duration
	output  string
	stdout  io.Writer
	header  http.Header // of the last answer
}

// addClientFlags gives a command the flags that find the server and choose the output.
func addClientFlags(cmd *kingpin.CmdClause, c *client) {
	cmd.Flag("alertmanager.url", "The server to talk to. Defaults to what amtool's configuration file says.").StringVar(&c.base)
	cmd.Flag("http.config.file", "How to speak to the server: Prometheus's HTTP client configuration. Defaults to what amtool's configuration file says.").StringVar(&c.file)
	cmd.Flag("timeout", "How long to wait for the server.").Default("30s").DurationVar(&c.timeout)
	cmd.Flag("output", "Output format: simple or json.").Short('o').Default("simple").EnumVar(&c.output, "simple", "json")
}

// find settles which server to talk to.
func (c *client) find() error {
	if c.base == "" || c.file == "" {
		home, _ := os.UserHomeDir() // without one, only the system's file is left
		for _, path := range []string{
			filepath.Join(home, ".config/amtool/config.yml"), "/etc/amtool/config.yml",
			filepath.Join(home, ".config/prometheus/amtool.yml"), "/etc/prometheus/amtool.yml", // Debian's
		} {
			file, err := config.ReadAmtool(path)
			if err != nil {
				return err
			}
			c.base = cmp.Or(c.base, file.URL)
			c.file = cmp.Or(c.file, file.HTTPConfig)
		}
	}
	if c.base == "" {
		return &usageError{"no server to talk to: give --alertmanager.url, or alertmanager.url in ~/.config/amtool/config.yml"}
	}
	c.base = strings.TrimRight(c.base, "/")
	c.http = http.DefaultClient
	if c.file == "" {
		return nil
	}
	how, _, err := commonconfig.LoadHTTPConfigFile(c.file)
	if err == nil {
		c.http, err = commonconfig.NewClientFromConfig(*how, "tocsin")
	}
	if err != nil {
		return fmt.Errorf("--http.config.file: %w", err)
	}
	return nil
}

// do sends a request and decodes a JSON answer into out, unless that is nil.
func (c *client) do(ctx context.Context, method, path string, query url.Values, body, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	address := c.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	var payload io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		payload = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, payload)
	if err != nil {
		return &usageError{"--alertmanager.url: " + err.Error()}
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask server: %w", err)
	}
	defer resp.Body.Close()
	c.header = resp.Header
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // what there is of it is shown
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, strings.TrimSpace(string(text)))
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("decode the answer of %s: %w", path, err)
	}
	return nil
}

// print writes v as JSON.
func (c *client) print(v any) error {
	enc := json.NewEncoder(c.stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// matchersOf reads matchers from arguments, each one matcher or a comma list. A bare first word is
// an alert name, as for amtool.
func matchersOf(args []string) (matcher.Matchers, error) {
	var all matcher.Matchers
	for i, arg := range args {
		if i == 0 && !strings.ContainsAny(arg, "=~!") {
			arg = fmt.Sprintf("alertname=%q", arg)
		}
		ms, err := matcher.Parse(arg)
		if err != nil {
			return nil, &usageError{fmt.Sprintf("matcher %q: %v", arg, err)}
		}
		all = append(all, ms...)
	}
	return all, nil
}
