package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"koperator.dev/koperator/apis/kafka/v1beta1"
)

// target is what an operation is made for: one life of a broker or a disk.
type target struct {
	broker int32
	// path of a disk; empty for a broker.
	path        string
	incarnation string
	// undo is the UID of the operation that moved data off it before it was put back into the spec.
	undo string
}

// place is the broker or disk, whichever life it is in.
func (t target) place() target { return target{broker: t.broker, path: t.path} }

// life is one life of the broker or disk.
func (t target) life() target {
	t.undo = ""
	return t
}

// String is the target in AnnotationTargets, such as 101:/var/lib/kafka/b@5f2c~UID.
func (t target) String() string {
	text := fmt.Sprint(t.broker)
	if t.path != "" {
		text += ":" + t.path
	}
	text += "@" + t.incarnation
	if t.undo != "" {
		text += "~" + t.undo
	}
	return text
}

// formatTargets is the value of AnnotationTargets.
func formatTargets(targets []target) string {
	texts := make([]string, len(targets))
	for i, t := range targets {
		texts[i] = t.String()
	}
	return strings.Join(texts, ",")
}

// parseTargets reads AnnotationTargets. Entries that a person has spoilt are left out.
func parseTargets(text string) []target {
	var targets []target
	for entry := range strings.SplitSeq(text, ",") {
		life, undo, _ := strings.Cut(entry, "~")
		place, incarnation, ok := strings.Cut(life, "@")
		id, path, _ := strings.Cut(place, ":")
		broker, err := strconv.ParseInt(id, 10, 32)
		if ok && err == nil && broker >= 0 {
			targets = append(targets, target{int32(broker), path, incarnation, undo})
		}
	}
	return targets
}

// targetsOf are the targets of an operation. Those of its spec count, with the incarnations of its annotation.
func targetsOf(op *v1beta1.CruiseControlOperation) []target {
	annotated := parseTargets(op.Annotations[v1beta1.AnnotationTargets])
	var named []target
	for _, id := range op.Spec.Brokers {
		named = append(named, target{broker: id})
	}
	for _, disks := range op.Spec.Disks {
		for _, path := range disks.Paths {
			named = append(named, target{broker: disks.Broker, path: path})
		}
	}
	if len(named) == 0 {
		return annotated
	}
	byPlace := map[target]target{}
	for _, t := range annotated {
		byPlace[t.place()] = t
	}
	for i, t := range named {
		if known, ok := byPlace[t]; ok {
			named[i] = known
		}
	}
	return named
}

func sortTargets(targets []target) {
	slices.SortFunc(targets, func(a, b target) int {
		return cmp.Or(cmp.Compare(a.broker, b.broker), cmp.Compare(a.path, b.path))
	})
}

// livesOf are the lives of targets, with what is undone for each.
func livesOf(targets []target) map[target]string {
	lives := make(map[target]string, len(targets))
	for _, t := range targets {
		lives[t.life()] = t.undo
	}
	return lives
}

// placesOf are the places of targets.
func placesOf(targets []target) map[target]bool {
	places := make(map[target]bool, len(targets))
	for _, t := range targets {
		places[t.place()] = true
	}
	return places
}

// maxNamed is how many of a kind a message names.
const maxNamed = 10

// named names some of many: "broker 101", "brokers 101, 102", "/var/lib/kafka/b of brokers 101, 102".
func named(targets []target) string {
	brokers, paths := map[string][]int32{}, []string{}
	for _, t := range targets {
		if !slices.Contains(paths, t.path) {
			paths = append(paths, t.path)
		}
		brokers[t.path] = append(brokers[t.path], t.broker)
	}
	texts := make([]string, len(paths))
	for i, path := range paths {
		if texts[i] = namedBrokers(brokers[path]); path != "" {
			texts[i] = path + " of " + texts[i]
		}
	}
	return strings.Join(texts, " and ")
}

func namedBrokers(ids []int32) string {
	texts := make([]string, 0, maxNamed)
	for _, id := range ids[:min(len(ids), maxNamed)] {
		texts = append(texts, fmt.Sprint(id))
	}
	text := "broker "
	if len(ids) > 1 {
		text = "brokers "
	}
	text += strings.Join(texts, ", ")
	if more := len(ids) - maxNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
