#!/bin/sh
# Starts one node of Kafka: waits for its rack, formats what is blank, and becomes Kafka. It is the first process of the
# container, and its text is the container's command (without these comments, so that another word here restarts nobody).
#
#   CLUSTER_ID           Kafka's id of the cluster
#   INITIAL_CONTROLLERS  on a controller, and only while the first start of the cluster is not over: its voters
#   KAFKA_...            as in the official image: read by Kafka's own scripts
set -eu

kafka=/opt/kafka
properties=/etc/kafka/config/server.properties
pod=/etc/kafka/pod
formatted=/run/koperator/formatted

say() {
  echo "koperator: $*"
}

# The first process of a container is not ended by a signal that it does not ask for.
child=
stop() {
  [ -z "$child" ] || kill "$child" 2>/dev/null || :
  exit 143
}
trap stop TERM INT

# Runs a command such that a signal ends it, and this script, at once: a shell acts on a signal only after the command
# that it runs in the foreground.
run() {
  "$@" &
  child=$!
  wait "$child"
  child=
}

# Classes loaded and checked beforehand halve the processor time of a start. Java ignores an archive that does not fit.
use_archive() {
  if [ -f "$kafka/$1" ]; then
    KAFKA_OPTS="-XX:SharedArchiveFile=$kafka/$1 ${KAFKA_OPTS:-}"
    export KAFKA_OPTS
  fi
}

# A rack is wanted if the folder is there. Kafka reads its rack at the start only, and which machine the Pod is on is
# known once it is scheduled: broker-manager then writes it on the Pod, and the kubelet into these files. The file rack is
# empty on a machine without one.
wait_for_rack() {
  [ -d "$pod" ] || return 0
  if [ ! -s "$pod/node" ]; then
    say "waiting for the rack of this Pod, which broker-manager writes on it"
  fi
  while [ ! -s "$pod/node" ]; do
    run sleep 1
  done
  rack=$(cat "$pod/rack")
}

# A folder that cannot be made is a broken disk: Kafka itself decides whether it can do without.
make_log_dirs() {
  for dir in $log_dirs; do
    mkdir -p "$dir" || say "$dir cannot be made"
  done
}

is_formatted() {
  for dir in $log_dirs; do
    grep -Fqsx "cluster.id=$CLUSTER_ID" "$dir/meta.properties" || return 1
  done
}

# Formats the log directories that are blank, leaves the others as they are, and refuses those of another cluster.
#
# Whoever is formatted as an initial controller votes, with an empty log: right once, at the first start of the cluster,
# and a loss of committed metadata ever after (KIP-853). So it is done once for each Pod at most. The mark outlives the
# container and not the Pod, and no Pod that is made after the first start is given INITIAL_CONTROLLERS.
format() {
  if [ -n "${INITIAL_CONTROLLERS:-}" ] && [ ! -e "$formatted" ]; then
    set -- --initial-controllers "$INITIAL_CONTROLLERS"
  else
    set -- --no-initial-controllers
  fi
  use_archive storage.jsa
  # A small tool, which speaks of errors only.
  unset KAFKA_LOG4J_OPTS
  export KAFKA_HEAP_OPTS=-Xmx128m
  exec "$kafka/bin/kafka-storage.sh" format \
    --config "$properties" --cluster-id "$CLUSTER_ID" --ignore-formatted "$@"
}

rack=
wait_for_rack

# One line, and no path has a blank or a comma in it.
log_dirs=$(sed -n 's/^log\.dirs=//p' "$properties" | tr , ' ')
make_log_dirs
# A Java machine takes seconds to find out that there is nothing to do.
is_formatted || run format
: >"$formatted"

set -- "$properties"
if [ -n "$rack" ]; then
  set -- "$@" --override "broker.rack=$rack"
fi
use_archive kafka.jsa
exec "$kafka/bin/kafka-server-start.sh" "$@"
