package mysql

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	driver "github.com/go-sql-driver/mysql"
)

// errURL does not wrap the parser's error, which may quote the password.
var errURL = errors.New("mysql: not a URL of the form mysql://user:password@host:3306/database?tls=true")

// parse turns a URL into the driver's configuration. No error quotes the URL.
func parse(text string) (*driver.Config, error) {
	u, err := url.Parse(text)
	if err != nil || !slices.Contains([]string{"mysql", "mariadb"}, u.Scheme) || u.Opaque != "" || u.Fragment != "" {
		return nil, errURL
	}
	c := driver.NewConfig()
	c.DBName = strings.TrimPrefix(u.Path, "/")
	if c.DBName == "" || strings.Contains(c.DBName, "/") {
		return nil, errURL
	}
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.Net, c.Addr = "tcp", net.JoinHostPort(orElse(u.Hostname(), "localhost"), orElse(u.Port(), "3306"))
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errURL
	}
	for name, values := range query {
		value := values[len(values)-1]
		switch name {
		case "tls":
			if !slices.Contains([]string{"true", "false", "skip-verify", "preferred"}, value) {
				return nil, errors.New("mysql: tls is true, false, skip-verify or preferred")
			}
			c.TLSConfig = value
		case "socket":
			c.Net, c.Addr = "unix", value
		default:
			return nil, fmt.Errorf("mysql: the URL has an unknown parameter %q: it may have tls and socket", name)
		}
	}
	return c, nil
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
