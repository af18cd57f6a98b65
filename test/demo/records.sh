# Makes a topic, writes records to it and reads them again. What it prints is shown to the user.
quietly tool kafka-topics.sh --create --if-not-exists --topic "$TOPIC" --partitions 3 --replication-factor 3
echo "topic $TOPIC: 3 partitions, 3 replicas of each"

i=0
while [ "$i" -lt "$RECORDS" ]; do
  i=$((i + 1))
  echo "$RUN record $i"
done > sent
quietly tool kafka-console-producer.sh --topic "$TOPIC" --request-required-acks all < sent
echo "$RECORDS records written, each acknowledged by all in-sync replicas"

# Records of earlier runs are in the topic too: what is read is filtered, until all of this run have come.
mkfifo read
(
  exec "$bin/kafka-console-consumer.sh" --bootstrap-server "$BOOTSTRAP" --command-config client.properties \
    --topic "$TOPIC" --group "demo-$RUN" --from-beginning --timeout-ms 90000 > read 2> read.log
) &
grep -F -m "$RECORDS" "$RUN record " < read > received || :
count=$(wc -l < received)
# A line that is in both files is there twice.
if [ "$count" -ne "$RECORDS" ] || [ -n "$(sort sent received | uniq -u)" ]; then
  cat read.log >&2
  echo "$count of $RECORDS records came back, or not as they were sent" >&2
  exit 1
fi
echo "the same $count records read again"
