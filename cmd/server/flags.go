package server

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/promslog"
	promslogflag "github.com/prometheus/common/promslog/flag"
	"github.com/prometheus/exporter-toolkit/web"
	webflag "github.com/prometheus/exporter-toolkit/web/kingpinflag"
)

// serveFlags are Alertmanager's flags with their meanings, and ours, which begin with tocsin.
type serveFlags struct {
	configFile   string
	tocsinFile   string
	storagePath  string
	retention    time.Duration
	startDelay   time.Duration
	alertLimit   int
	maxSilences  int
	maxSilenceB  int
	logSilences  bool
	externalURL  string
	advertiseURL string
	routePrefix  string
	corsOrigin   string
	concurrency  int
	timeout      time.Duration
	pprof        bool
	memlimit     float64
	features     []string
	clusterAddr  string
	advertise    string
	peerName     string
	peers        []string
	duplicates   bool
	web          *web.FlagConfig
	log          promslog.Config
	featureFlags string
}

// The features of --enable-feature.
const (
	featureAlertNames    = "alert-names-in-metrics"
	featureReceiverNames = "receiver-name-in-metrics"
	featureGroupKeys     = "group-key-in-metrics"
	featureClassic       = "classic-mode"
	featureUTF8Strict    = "utf8-strict-mode"
	featureMemlimit      = "auto-gomemlimit"
	featureEvents        = "event-recorder"
)

func features() []string {
	return []string{featureAlertNames, featureReceiverNames, featureGroupKeys, featureClassic, featureUTF8Strict, featureMemlimit, featureEvents}
}

func addServeFlags(app *kingpin.Application, cmd *kingpin.CmdClause) *serveFlags {
	f := &serveFlags{}
	cmd.Flag("config.file", "Configuration file: an alertmanager.yml, with or without a section tocsin.").Default("alertmanager.yml").StringVar(&f.configFile)
	cmd.Flag("tocsin.config.file", "A file with the section tocsin, if it is not in --config.file.").StringVar(&f.tocsinFile)
	cmd.Flag("storage.path", "Base path for data storage.").Default("data/").StringVar(&f.storagePath)
	cmd.Flag("data.retention", "How long to keep expired silences and what was told of groups that are gone.").Default("120h").DurationVar(&f.retention)
	cmd.Flag("silences.max-silences", "Maximum number of silences, including expired ones. If negative or zero, no limit is set.").Default("0").IntVar(&f.maxSilences)
	cmd.Flag("silences.max-silence-size-bytes", "Maximum silence size in bytes. If negative or zero, no limit is set.").Default("0").IntVar(&f.maxSilenceB)
	cmd.Flag("log.silences", "Log changes of silences.").BoolVar(&f.logSilences)
	cmd.Flag("alerts.per-alertname-limit", "Maximum number of alerts per alertname. If negative or zero, no limit is set.").Default("0").IntVar(&f.alertLimit)
	cmd.Flag("dispatch.start-delay", "Minimum amount of time to wait after the start before anything is told.").Default("0s").DurationVar(&f.startDelay)

	f.web = webflag.AddFlags(cmd, ":9093")
	cmd.Flag("web.external-url", "The URL under which the server is externally reachable. Used for links back to it. If it has a path, all endpoints are served below that path.").StringVar(&f.externalURL)
	cmd.Flag("web.route-prefix", "Prefix for the internal routes of web endpoints. Defaults to the path of --web.external-url.").StringVar(&f.routePrefix)
	cmd.Flag("web.cors.origin", "Regular expression, fully anchored, of the origins whose pages may call the API. If empty, no CORS headers are sent.").StringVar(&f.corsOrigin)
	cmd.Flag("web.get-concurrency", "Maximum number of GET requests processed concurrently. If negative or zero, the limit is GOMAXPROCS or 8, whichever is larger.").Default("0").IntVar(&f.concurrency)
	cmd.Flag("web.timeout", "Timeout for HTTP requests. If negative or zero, no timeout is set.").Default("0").DurationVar(&f.timeout)
	cmd.Flag("web.enable-pprof", "Serve profiles under /debug/pprof/.").BoolVar(&f.pprof)
	cmd.Flag("auto-gomemlimit.ratio", "The ratio of GOMEMLIMIT to the memory of the container or system, with the feature auto-gomemlimit.").Default("0.9").Float64Var(&f.memlimit)
	cmd.Flag("enable-feature", "Comma-separated features to enable: "+strings.Join(features(), ", ")+".").StringVar(&f.featureFlags)

	cmd.Flag("tocsin.advertise-url", "Where the servers that share a database reach this one: changes are passed on there while it leads. Defaults to http, the address of --web.listen-address or else the host's name, and the route prefix.").StringVar(&f.advertiseURL)
	cmd.Flag("tocsin.allow-duplicates", "Start although --cluster.peer is given: every server then notifies for itself.").BoolVar(&f.duplicates)
	addClusterFlags(cmd, f)
	addIgnoredFlags(cmd)
	promslogflag.AddFlags(app, &f.log)
	return f
}

// addClusterFlags takes the flags that say who we are.
func addClusterFlags(cmd *kingpin.CmdClause, f *serveFlags) {
	cmd.Flag("cluster.listen-address", "Kept for Alertmanager's command line: shown in the status. An empty string shows the cluster as disabled.").Default("0.0.0.0:9094").StringVar(&f.clusterAddr)
	cmd.Flag("cluster.advertise-address", "Kept for Alertmanager's command line: shown in the status.").StringVar(&f.advertise)
	cmd.Flag("cluster.peer-name", "Name of this server in the status.").StringVar(&f.peerName)
	cmd.Flag("cluster.peer", "Refused, for servers share a database rather than gossip: see --tocsin.allow-duplicates.").StringsVar(&f.peers)
}

// addIgnoredFlags takes Alertmanager's flags that mean nothing here: there is no gossip, nothing is
// snapshotted, and nothing is collected by an interval of its own.
func addIgnoredFlags(cmd *kingpin.CmdClause) {
	for _, name := range []string{
		"data.maintenance-interval", "alerts.gc-interval", "dispatch.maintenance-interval",
		"cluster.peer-timeout", "cluster.peers-resolve-timeout", "cluster.gossip-interval",
		"cluster.pushpull-interval", "cluster.tcp-timeout", "cluster.probe-timeout",
		"cluster.probe-interval", "cluster.settle-timeout", "cluster.reconnect-interval",
		"cluster.reconnect-timeout",
	} {
		cmd.Flag(name, "Accepted for Alertmanager's sake, without effect.").Hidden().Duration()
	}
	for _, name := range []string{"cluster.tls-config", "cluster.label"} {
		cmd.Flag(name, "Accepted for Alertmanager's sake, without effect.").Hidden().String()
	}
	cmd.Flag("cluster.allow-insecure-public-advertise-address-discovery", "Accepted for Alertmanager's sake, without effect.").Hidden().Bool()
}

// check says what makes no sense together.
func (f *serveFlags) check() error {
	if f.featureFlags != "" {
		f.features = strings.Split(f.featureFlags, ",")
	}
	for _, name := range f.features {
		if !slices.Contains(features(), name) {
			return &usageError{fmt.Sprintf("--enable-feature: unknown option %q: use one of %s", name, strings.Join(features(), ", "))}
		}
	}
	if f.enabled(featureClassic) && f.enabled(featureUTF8Strict) {
		return &usageError{"--enable-feature: classic-mode and utf8-strict-mode exclude each other"}
	}
	if f.memlimit <= 0 || f.memlimit > 1 {
		return &usageError{"--auto-gomemlimit.ratio must be greater than 0 and less than or equal to 1"}
	}
	if len(f.peers) > 0 && !f.duplicates {
		return &usageError{"--cluster.peer: servers that do not share a database know nothing of each other, so each would send every notification; " +
			"run one server, or give --tocsin.allow-duplicates if that is what you want"}
	}
	return nil
}

func (f *serveFlags) enabled(feature string) bool { return slices.Contains(f.features, feature) }
