#!/bin/sh
# kafka-run-class.sh CLASS [ARGUMENT]...: runs a class of Kafka's jars in place of this shell, so that signals reach it.
#
# KAFKA_HEAP_OPTS, KAFKA_JVM_PERFORMANCE_OPTS, KAFKA_OPTS  options of the JVM
# KAFKA_LOG4J_OPTS                                         where the configuration of log4j is
# KAFKA_JMX_OPTS                                           options of the JVM's own JMX agent
# CLASSPATH                                                more jars

home=/opt/kafka

if [ $# -eq 0 ]; then
  echo "usage: kafka-run-class.sh CLASS [ARGUMENT]..." >&2
  exit 1
fi

# Sorted by the shell, and what is added comes last: the archive of classes is of use only below one and the same class path.
class_path=
for jar in "$home"/libs/*.jar; do
  class_path=$class_path${class_path:+:}$jar
done
class_path=$class_path${CLASSPATH:+:$CLASSPATH}

heap=${KAFKA_HEAP_OPTS:--Xmx256M}
performance=${KAFKA_JVM_PERFORMANCE_OPTS:--XX:+UseG1GC -XX:MaxGCPauseMillis=20 -Djava.awt.headless=true}
log=${KAFKA_LOG4J_OPTS:--Dlog4j2.configurationFile=$home/config/tools-log4j2.yaml}

# Loaded and checked beforehand, classes cost half the processor time of a start. Java ignores an archive that does not fit.
archive=
case " $heap $performance ${KAFKA_OPTS:-} ${JAVA_TOOL_OPTIONS:-} " in
  *-XX:SharedArchiveFile=* | *-XX:ArchiveClassesAtExit=*) ;;
  *) [ -f "$home/kafka.jsa" ] && archive=-XX:SharedArchiveFile=$home/kafka.jsa ;;
esac

# Unquoted on purpose: each variable holds several options.
# shellcheck disable=SC2086
exec "${JAVA_HOME:-/opt/java/openjdk}/bin/java" $archive $heap $performance ${KAFKA_JMX_OPTS:-} $log \
  -cp "$class_path" ${KAFKA_OPTS:-} "$@"
