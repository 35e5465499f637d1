package config

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	amcommoncfg "github.com/prometheus/alertmanager/config/common"
	"github.com/prometheus/alertmanager/timeinterval"

	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/route"
	"github.com/tocsin/tocsin/depgraph"
)

// Route returns the routing tree's description.
func (c *Config) Route() route.Route { return convertRoute(c.Alertmanager.Route) }

func convertRoute(r *amconfig.Route) route.Route {
	out := route.Route{
		Receiver:            r.Receiver,
		GroupBy:             r.GroupBy,
		GroupByAll:          r.GroupByAll,
		Wait:                (*time.Duration)(r.GroupWait),
		Interval:            (*time.Duration)(r.GroupInterval),
		Repeat:              (*time.Duration)(r.RepeatInterval),
		Matchers:            matchers(r.Match, r.MatchRE, r.Matchers),
		Continue:            r.Continue,
		MuteTimeIntervals:   r.MuteTimeIntervals,
		ActiveTimeIntervals: r.ActiveTimeIntervals,
		Labels:              r.Labels,
	}
	for _, child := range r.Routes {
		out.Routes = append(out.Routes, convertRoute(child))
	}
	return out
}

// matchers joins the three ways to write a matcher, of which two are legacy, in Alertmanager's
// order. A legacy expression keeps the anchors that Alertmanager shows around it, for they are part
// of its group keys.
func matchers(equal map[string]string, re amcommoncfg.MatchRegexps, written amcommoncfg.Matchers) matcher.Matchers {
	var ms matcher.Matchers
	for name, value := range equal {
		ms = append(ms, must(matcher.New(matcher.Equal, name, value)))
	}
	for name, value := range re {
		ms = append(ms, must(matcher.New(matcher.Regexp, name, value.String())))
	}
	return slices.Concat(ms, matcher.Matchers(written)).Sorted()
}

// must is for matchers that compiled when they were loaded.
func must(m *matcher.Matcher, err error) *matcher.Matcher {
	if err != nil {
		panic(fmt.Sprintf("config: %v", err))
	}
	return m
}

// InhibitRules returns the inhibit rules in their order. One without a name is called by its path.
func (c *Config) InhibitRules() []depgraph.Rule {
	return convertInhibitRules(c.Alertmanager.InhibitRules)
}

func convertInhibitRules(rules []amcommoncfg.InhibitRule) []depgraph.Rule {
	var out []depgraph.Rule
	for i, r := range rules {
		rule := depgraph.Rule{
			Name:   cmp.Or(r.Name, "inhibit_rules"+index(i)),
			Kind:   depgraph.Inhibition,
			Cause:  matchers(r.SourceMatch, r.SourceMatchRE, r.SourceMatchers),
			Impact: matchers(r.TargetMatch, r.TargetMatchRE, r.TargetMatchers),
		}
		for _, label := range r.Equal {
			rule.On = append(rule.On, depgraph.Same(label))
		}
		out = append(out, rule)
	}
	return out
}

// TimeIntervals returns the time intervals by name.
func (c *Config) TimeIntervals() map[string][]timeinterval.TimeInterval {
	intervals := make(map[string][]timeinterval.TimeInterval)
	for _, i := range c.Alertmanager.MuteTimeIntervals {
		intervals[i.Name] = i.TimeIntervals
	}
	for _, i := range c.Alertmanager.TimeIntervals {
		intervals[i.Name] = i.TimeIntervals
	}
	return intervals
}

// ResolveTimeout is how long an alert that was pushed without an end lasts.
func (c *Config) ResolveTimeout() time.Duration {
	return time.Duration(c.Alertmanager.Global.ResolveTimeout)
}
