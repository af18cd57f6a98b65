package cron

import (
	"testing"
	"time"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	if text == "" {
		return time.Time{}
	}
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestDue(t *testing.T) {
	for name, test := range map[string]struct {
		cron, zone, last, now, due, next string
	}{
		"not yet":                        {"0 3 * * *", "", "2026-05-03T03:00:00Z", "2026-05-04T02:59:59Z", "", "2026-05-04T03:00:00Z"},
		"just now":                       {"0 3 * * *", "", "2026-05-03T03:00:00Z", "2026-05-04T03:00:00Z", "2026-05-04T03:00:00Z", "2026-05-05T03:00:00Z"},
		"done already":                   {"0 3 * * *", "", "2026-05-04T03:00:00Z", "2026-05-04T03:00:30Z", "", "2026-05-05T03:00:00Z"},
		"one of many that were missed":   {"* * * * *", "", "2020-01-01T00:00:00Z", "2026-05-04T03:00:30Z", "2026-05-04T03:00:00Z", "2026-05-04T03:01:00Z"},
		"missed for years":               {"0 3 1 1 *", "", "2020-01-01T03:00:00Z", "2026-05-04T03:00:30Z", "2026-01-01T03:00:00Z", "2027-01-01T03:00:00Z"},
		"each Saturday":                  {"0 3 * * 6", "", "2026-05-01T00:00:00Z", "2026-05-04T00:00:00Z", "2026-05-02T03:00:00Z", "2026-05-09T03:00:00Z"},
		"a descriptor":                   {"@daily", "", "2026-05-03T00:00:00Z", "2026-05-04T00:00:00Z", "2026-05-04T00:00:00Z", "2026-05-05T00:00:00Z"},
		"in a time zone":                 {"0 3 * * *", "Europe/Budapest", "2026-05-03T03:00:00Z", "2026-05-04T01:00:00Z", "2026-05-04T01:00:00Z", "2026-05-05T01:00:00Z"},
		"an hour that summer time skips": {"30 2 * * *", "Europe/Budapest", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", "", "2026-03-30T00:30:00Z"},
		"a day that is in no year":       {"0 3 30 2 *", "", "2026-05-03T03:00:00Z", "2026-05-04T03:00:00Z", "", ""},
		"a template that was made a moment before it": {"0 3 * * *", "", "2026-05-04T02:59:59Z", "2026-05-04T03:00:01Z", "2026-05-04T03:00:00Z", "2026-05-05T03:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			schedule, err := Parse(v1beta1.OperationSchedule{Cron: test.cron, TimeZone: test.zone})
			if err != nil {
				t.Fatal(err)
			}
			due, next := Due(schedule, at(t, test.last), at(t, test.now))
			if !due.Equal(at(t, test.due)) || !next.Equal(at(t, test.next)) {
				t.Errorf("due is %s, next %s; want %s, %s", due, next, test.due, test.next)
			}
		})
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	for _, s := range []v1beta1.OperationSchedule{
		{Cron: "0 3 * *"}, {Cron: "61 3 * * *"}, {Cron: "@every 1s"}, {Cron: "@sometimes"}, {Cron: ""}, {Cron: "TZ=UTC"}, {Cron: "CRON_TZ=UTC 0 3 * * *"},
		{Cron: "0 3 * * *", TimeZone: "Europe/Nowhere"}, {Cron: "0 3 * * *", TimeZone: "Local"}, {Cron: "0 3 * * *", TimeZone: "../etc/passwd"},
	} {
		if _, err := Parse(s); err == nil {
			t.Errorf("%+v is read", s)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("0 3 * * 6", "Europe/Budapest")
	f.Add("*/5,1-3 0-23/2 ? JAN-DEC MON", "UTC")
	f.Add("TZ=0", "")
	f.Add("@every 1ns", "Local")
	f.Fuzz(func(t *testing.T, expression, zone string) {
		schedule, err := Parse(v1beta1.OperationSchedule{Cron: expression, TimeZone: zone})
		if err != nil {
			return
		}
		now := time.Date(2026, 5, 4, 3, 0, 30, 0, time.UTC)
		due, next := Due(schedule, now.AddDate(-1, 0, 0), now)
		if due.After(now) || !next.IsZero() && !next.After(now) {
			t.Errorf("%q in %q: due %s, next %s", expression, zone, due, next)
		}
	})
}
