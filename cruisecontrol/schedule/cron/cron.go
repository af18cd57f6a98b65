// Package cron says when operations with a schedule are repeated. It is pure.
package cron

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // an image may have no time zones of its own

	"github.com/robfig/cron/v3"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// Schedule is when something is due.
type Schedule struct {
	spec *cron.SpecSchedule
}

var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// Parse reads a schedule. Its messages say what to correct.
func Parse(s v1beta1.OperationSchedule) (Schedule, error) {
	zone, err := location(s.TimeZone)
	if err != nil {
		return Schedule{}, err
	}
	expression := strings.TrimSpace(s.Cron)
	if strings.HasPrefix(expression, "TZ=") || strings.HasPrefix(expression, "CRON_TZ=") {
		return Schedule{}, errors.New("schedule.cron names a time zone: set schedule.timeZone instead")
	}
	parsed, err := parser.Parse(expression)
	if err != nil {
		return Schedule{}, fmt.Errorf("schedule.cron cannot be read: %w", err)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return Schedule{}, errors.New("schedule.cron is no time but a distance: use five fields, such as '0 */6 * * *'")
	}
	spec.Location = zone
	return Schedule{spec}, nil
}

func location(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	if name == "Local" {
		return nil, errors.New("schedule.timeZone cannot be Local, which is another one on each machine: use a name such as Europe/Budapest")
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("schedule.timeZone: there is no time zone %q", name)
	}
	return zone, nil
}

// Next is the first time after t; zero if there is none for years.
func (s Schedule) Next(t time.Time) time.Time { return s.spec.Next(t) }

// Due is the last time after last that has come, and the next one that has not; either is zero if there is none. Whatever was
// missed before the last one is not made up for.
func Due(s Schedule, last, now time.Time) (due, next time.Time) {
	return s.latest(last, now), s.Next(now)
}

// windows are how far back to look for the last time, the nearest first: what is due each minute is not counted through a
// year of downtime.
var windows = []time.Duration{2 * time.Hour, 2 * 24 * time.Hour, 40 * 24 * time.Hour, 400 * 24 * time.Hour}

func (s Schedule) latest(last, now time.Time) time.Time {
	for _, window := range windows {
		from := now.Add(-window)
		if !from.After(last) {
			break
		}
		if found := s.lastBetween(from, now); !found.IsZero() {
			return found
		}
	}
	return s.lastBetween(last, now)
}

func (s Schedule) lastBetween(from, until time.Time) time.Time {
	var found time.Time
	for next := s.Next(from); !next.IsZero() && !next.After(until); next = s.Next(next) {
		found = next
	}
	return found
}
