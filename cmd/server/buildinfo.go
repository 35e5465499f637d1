package server

import (
	"runtime/debug"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/version"
)

// alertmanagerVersion is the version of Alertmanager whose packages are built in, and whose API and
// behaviour this server has. Tools such as karma and amtool decide by it what they may ask.
func alertmanagerVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, dep := range info.Deps {
		if dep.Path == "github.com/prometheus/alertmanager" {
			return strings.TrimPrefix(dep.Version, "v")
		}
	}
	return ""
}

// newBuildInfo is alertmanager_build_info, by which tools tell which Alertmanager they talk to.
func newBuildInfo() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "alertmanager_build_info",
		Help: "The version of Alertmanager whose API and behaviour this server has.",
		ConstLabels: prometheus.Labels{
			"version": alertmanagerVersion(), "revision": version.GetRevision(), "branch": version.Branch,
			"goversion": version.GoVersion, "goos": version.GoOS, "goarch": version.GoArch, "tags": version.GetTags(),
		},
	}, func() float64 { return 1 })
}
