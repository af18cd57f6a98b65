# Writes 48 MB to a topic of its own. What it prints is shown to the user.
line=$(printf '%08000d' 0)
i=0
while [ "$i" -lt 6000 ]; do
  i=$((i + 1))
  echo "$line"
done > lines
quietly tool kafka-topics.sh --create --if-not-exists --topic "$TOPIC-data" --partitions 12 --replication-factor 3
quietly tool kafka-console-producer.sh --topic "$TOPIC-data" --request-required-acks all < lines
echo "topic $TOPIC-data: 12 partitions, 3 replicas of each, 48 MB written to it"
