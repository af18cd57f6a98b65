#!/bin/sh
# kafka-server-start.sh FILE [--override NAME=VALUE]...: runs a broker or a controller in the foreground.
#
# Beside the variables of kafka-run-class.sh, KAFKA_JMX_PORT opens the JVM's own JMX agent, without TLS and passwords.

if [ $# -eq 0 ]; then
  echo "usage: kafka-server-start.sh FILE [--override NAME=VALUE]..." >&2
  exit 1
fi

export KAFKA_HEAP_OPTS="${KAFKA_HEAP_OPTS:--Xmx1G -Xms1G}"
export KAFKA_LOG4J_OPTS="${KAFKA_LOG4J_OPTS:--Dlog4j2.configurationFile=/opt/kafka/config/log4j2.yaml}"

if [ -n "${KAFKA_JMX_PORT:-}" ]; then
  open="-Dcom.sun.management.jmxremote.authenticate=false -Dcom.sun.management.jmxremote.ssl=false"
  # One port for both of the agent's connections, or the second one would be a random port.
  ports="-Dcom.sun.management.jmxremote.port=$KAFKA_JMX_PORT -Dcom.sun.management.jmxremote.rmi.port=$KAFKA_JMX_PORT"
  export KAFKA_JMX_OPTS="${KAFKA_JMX_OPTS:-$open} $ports"
fi

exec /opt/kafka/bin/kafka-run-class.sh kafka.Kafka "$@"
